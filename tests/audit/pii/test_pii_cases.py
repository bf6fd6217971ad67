"""Crafted texts, each with the finding that must be there, or with none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verilabel.audit.interface import Batch
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.pii.check import PiiCheck
from verilabel.audit.settings import PiiSettings

LINES = [
    line.replace("¦", "").replace("⏎", "\n")
    for line in (Path(__file__).parent / "pii_cases.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.fixture(scope="module")
def check() -> PiiCheck:
    return PiiCheck(PiiSettings())


def find_in(check: PiiCheck, text: str) -> list[tuple[str, str]]:
    raw = text.encode()
    batch = Batch(np.frombuffer(raw, np.uint8), np.array([0, len(raw)], np.int64), np.zeros(1, np.int64))
    findings = check.examine(batch, cut_words(batch)).findings
    assert findings is not None
    names = [kind.id for kind in check.card.kinds]
    rows = zip(findings.kind, findings.start, findings.end, strict=True)
    return [(names[kind], raw[start:end].decode()) for kind, start, end in rows]


@pytest.mark.parametrize("line", LINES)
def test_a_crafted_text_gives_its_finding_and_no_other(check: PiiCheck, line: str) -> None:
    kind, _, marked = line.partition("\t")
    text = marked.replace("«", "").replace("»", "")
    wanted = [] if kind == "none" else [(kind, marked[marked.index("«") + 1 : marked.index("»")])]
    assert wanted == find_in(check, text)


def test_the_table_has_texts_of_every_kind_that_stands_on_one_line(check: PiiCheck) -> None:
    kinds = {line.partition("\t")[0] for line in LINES} - {"none"}
    assert {kind.id for kind in check.card.kinds} - {"secret.private_key"} == kinds
