"""Documents as batches, and what the check of licences says of each, for its tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from verilabel.audit.interface import Batch, Check
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.licences.texts import CLASSES, list_ids


@dataclass
class Told:
    """What the check says of one document."""

    first: str
    terms: str
    beyond: int
    findings: list[tuple[str, str]] = field(default_factory=list)
    """Kind and text."""
    rows: list[tuple[str, str, int]] = field(default_factory=list)
    """Id, how, thousandths covered."""

    @property
    def kinds(self) -> set[str]:
        """Kinds of findings."""
        return {kind for kind, _ in self.findings}


def make_batch(texts: Sequence[str | bytes]) -> Batch:
    """Texts as one batch."""
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    offsets = np.cumsum([0, *(len(text) for text in data)]).astype(np.int64)
    return Batch(
        np.frombuffer(b"".join(data), np.uint8).copy(), offsets, np.arange(len(data), dtype=np.int64)
    )


def examine(check: Check, *texts: str | bytes) -> list[Told]:
    """The check on texts in one batch."""
    batch = make_batch(texts)
    examined = check.examine(batch, cut_words(batch))
    ids = list_ids()
    columns = examined.columns
    told = [
        Told(ids[number], CLASSES[terms], beyond)
        for number, terms, beyond in zip(
            columns["licences_id"].tolist(),
            columns["licences_class"].tolist(),
            columns["licences_beyond"].tolist(),
            strict=True,
        )
    ]
    found = examined.findings
    assert found is not None
    for document, kind, start, end in zip(
        found.document.tolist(), found.kind.tolist(), found.start.tolist(), found.end.tolist(), strict=True
    ):
        text = batch.data[start:end].tobytes().decode("utf-8", "surrogateescape")
        told[document].findings.append((check.card.kinds[kind].id, text))
    table = examined.tables["licences"]
    for document, identifier, how, coverage in zip(*(list(table[name]) for name in table), strict=True):
        told[int(document)].rows.append((identifier, how, int(coverage)))
    return told


def examine_one(check: Check, text: str | bytes) -> Told:
    """The check on one text."""
    return examine(check, text)[0]
