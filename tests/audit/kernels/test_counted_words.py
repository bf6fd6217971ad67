"""Counting words without cutting them: the same numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.interface import Batch
from verilabel.audit.kernels.tokens import count_words, cut_words

TEXTS = st.lists(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["a", "字", " ", "é", "1", ".", "가", "\n", "ㆍ"])).map("".join),
    max_size=8,
)


@given(TEXTS)
def test_a_document_has_as_many_words_as_are_cut_of_it(texts: list[str]) -> None:
    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in encoded])]).astype(np.int64)
    batch = Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))
    counted = count_words(batch)
    assert cut_words(batch).documents.tolist() == counted.documents.tolist()
    assert [0, 0, 0] == [len(counted.hashes), len(counted.starts), len(counted.ends)]
