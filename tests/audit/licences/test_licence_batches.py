"""The same is found however documents are cut into batches; hostile texts cost and find a bounded amount."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence_documents import Told, examine, make_batch
from verilabel.audit.interface import Check, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.licences.kernels.scanning import MAX_HITS
from verilabel.audit.licences.texts import load_licences

MIT = next(licence.text for licence in load_licences().licences if licence.id == "MIT")
PIECES = (
    "Copyright (c) 2019 Example. ",
    "All rights reserved.\n",
    "SPDX-License-Identifier: MIT OR Apache-2.0\n",
    "https://creativecommons.org/licenses/by/4.0/ ",
    "Licensed under the Apache License, Version 2.0\n",
    "text and data mining is reserved. ",
    "noai robots noai ",
    MIT,
    MIT[: len(MIT) // 2],
    "“MIT” ’ — é 版权所有 ",
    "word word word ",
    "\n\n",
    "",
)


@settings(max_examples=40)
@given(
    documents=st.lists(
        st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=5).map("".join),
        min_size=1,
        max_size=6,
    ),
    cut=st.integers(0, 6),
)
def test_batches_cut_elsewhere_give_the_same_findings(
    licence_check: Check, documents: list[str], cut: int
) -> None:
    texts = [document.encode("utf-8", "replace") for document in documents]
    whole = examine(licence_check, *texts)
    parts: list[Told] = []
    for some in (texts[:cut], texts[cut:]):
        parts += examine(licence_check, *some) if some else []
    assert whole == parts


def test_documents_do_not_run_into_one_another(licence_check: Check) -> None:
    body = MIT[MIT.index("Permission") :]
    half = len(body) // 2
    told = examine(
        licence_check, body[:half], body[half:], "All rights", "reserved", "see (c)", "2019 Example"
    )
    assert [set()] * 6 == [one.kinds for one in told]


def _examine_raw(check: Check, text: bytes) -> Examined:
    batch = make_batch([text])
    return check.examine(batch, cut_words(batch))


@pytest.mark.parametrize(
    "piece",
    [
        b"a",
        b"7",
        b"@",
        b"\n",
        "版".encode(),
        b"a ",
        b"(c) ",
        b"copyright ",
        b"license: ",
        "“".encode(),
        b"\xc2\xa9 ",
    ],
)
def test_a_document_of_one_letter_finds_nothing(licence_check: Check, piece: bytes) -> None:
    examined = _examine_raw(licence_check, piece * (400_000 // len(piece)))
    assert examined.findings is not None
    assert 0 == len(examined.findings.document)
    assert [0] == examined.columns["licences_id"].tolist()


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (b"(c) 2019 x\n", "copyright.notice"),
        (b"all rights reserved\n", "copyright.reserved"),
        (b"SPDX-License-Identifier: MIT\n", "licence.tag"),
        (b"apache.org/licenses/LICENSE-2.0\n", "licence.url"),
        (b"Licensed under the MIT license.\n", "licence.header"),
        (b"tdm-reservation: 1\n", "use.opt_out"),
    ],
)
def test_findings_of_a_document_are_bounded_and_the_rest_is_counted(
    licence_check: Check, piece: bytes, kind: str
) -> None:
    repeats = MAX_HITS + 2_000
    examined = _examine_raw(licence_check, piece * repeats)
    found = examined.findings
    assert found is not None
    number = [one.id for one in licence_check.card.kinds].index(kind)
    count = int(np.count_nonzero(found.kind == number))
    assert 30_000 < count <= MAX_HITS
    assert 2_000 <= int(examined.columns["licences_beyond"][0])
    assert len(examined.tables["licences"]["document"]) <= 2


def test_many_licences_behind_one_another_are_found_again_and_again(licence_check: Check) -> None:
    gap = "so it goes on and on " * 20
    examined = _examine_raw(licence_check, (MIT + gap).encode() * 200)
    assert examined.findings is not None
    assert 200 == int(np.count_nonzero(examined.findings.kind == 0))


def test_findings_are_sorted_and_inside_their_documents(licence_check: Check) -> None:
    batch = make_batch([piece * 3 for piece in PIECES])
    found = licence_check.examine(batch, cut_words(batch)).findings
    assert found is not None
    order = np.lexsort((found.start, found.document))
    assert np.arange(len(order)).tolist() == order.tolist()
    assert (found.start >= batch.offsets[found.document]).all()
    assert (found.end <= batch.offsets[found.document + 1]).all()
    assert (found.start < found.end).all()


def test_an_empty_batch_and_empty_documents_are_examined(licence_check: Check) -> None:
    assert [] == examine(licence_check)
    assert ["", ""] == [told.first for told in examine(licence_check, "", "")]
