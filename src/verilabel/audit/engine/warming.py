"""Compiling before the work: what checks compile is compiled once a machine, by the driver, and found on disk after.

`python -m verilabel.audit.engine.warming` does it alone, as a step of an installation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from verilabel.audit.engine.checks import open_checks, prepare_checks
from verilabel.audit.interface import Batch, Check
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import AuditSettings, ContaminationSettings, Selection

_ITEM = (
    "How many wooden crates does the harbour master count when thirty one barges unload nine crates each and four of"
    " the crates fall into the water between the second barge and the quay?"
)
_TEXTS = (
    _ITEM,
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated"
    " documentation files, to deal in the Software without restriction. SPDX-License-Identifier: MIT. Copyright (c)"
    " 2020 the authors. All rights reserved. https://creativecommons.org/licenses/by/4.0/",
    "Write to someone@example.net or call +44 20 7946 0958, 192.0.2.7, 2001:db8::1, 4111 1111 1111 1111.",
    "明天的会议改到下午三点。 Grüße aus Köln, à bientôt; привет — “quoted” … and so on.",
    "",
)


def warm_up(checks: Sequence[Check]) -> None:
    """Have every check look at a little text, so that it compiles what it needs."""
    texts = [text.encode() for text in _TEXTS]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    data = np.frombuffer(b"".join(texts), np.uint8).copy()  # as readers give it: it may be written to
    urls = ["https://example.org/", None, "", "https://example.org/x", None]
    batch = Batch(
        data, offsets, np.arange(len(texts)), {"url": urls, "date": ["2020-01-01"] * 5, "licence": urls}
    )
    words = cut_words(batch)
    for check in checks:
        check.examine(batch, words)


def warm_readers() -> None:
    """Read a little of every form that is read by compiled loops."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.jsonl").write_text('{"text": "one \\u00e9 \\n"}\n{"text": "grüße"}\n', encoding="utf-8")
        (folder / "b.csv").write_text('text,other\n"one, ""two""",x\ngrüße,y\n', encoding="utf-8")
        (folder / "c.txt").write_bytes("grüße \xff".encode("latin-1"))
        for path in sorted(folder.iterdir()):
            for shard in (reader := FileReader()).plan([str(path)], Selection()):
                with reader.open(shard, Selection()) as reading:
                    for _ in reading.batches():
                        pass


def main() -> None:
    """Compile what all checks need."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "item.txt").write_text(_ITEM + "\n", encoding="utf-8")
        asked = ContaminationSettings(benchmarks=(str(folder / "item.txt"),), sketch=True)
        settings = AuditSettings(contamination=asked)
        prepare_checks(settings, folder / "indexes")
        warm_up(open_checks(settings, folder / "indexes"))
    warm_readers()


if __name__ == "__main__":
    main()
