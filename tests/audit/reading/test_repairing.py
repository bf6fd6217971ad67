"""Bytes that are not UTF-8 are replaced as Python replaces them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.reading.repairing import find_damage, repair_texts

_TEXTS = st.lists(
    st.binary(max_size=12)
    | st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from(
        [b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"a" * 70]
    ),
    max_size=6,
)


def _stack(texts: list[bytes]) -> tuple[Bytes, Positions]:
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return np.frombuffer(bytearray(b"".join(texts)), np.uint8), offsets


@given(texts=_TEXTS)
@settings(max_examples=300)
def test_each_text_is_repaired_for_itself(texts: list[bytes]) -> None:
    expected = [text.decode("utf-8", "replace").encode() for text in texts]
    data, offsets, damaged, kept = repair_texts(*_stack(texts), limit=1_000)
    found = [data[offsets[place] : offsets[place + 1]].tobytes() for place in range(len(texts))]
    assert expected == found
    assert kept is None
    assert damaged == sum(text != repaired for text, repaired in zip(texts, expected, strict=True))


@given(texts=_TEXTS)
def test_damage_is_found_where_python_finds_it(texts: list[bytes]) -> None:
    whole = b"".join(texts)
    try:
        whole.decode()
        expected = len(whole)
    except UnicodeDecodeError as error:
        expected = error.start
    data, _ = _stack([whole])
    assert expected == find_damage(data, 0, len(data))


def test_a_text_that_grows_beyond_the_limit_is_left_out() -> None:
    data, offsets, damaged, kept = repair_texts(*_stack([b"good", b"\xff" * 40, b"\xff"]), limit=100)
    assert [b"good" + "\ufffd".encode()] == [data.tobytes()]
    assert [0, 4, 7] == offsets.tolist()
    assert 1 == damaged
    assert kept is not None
    assert [True, False, True] == kept.tolist()
