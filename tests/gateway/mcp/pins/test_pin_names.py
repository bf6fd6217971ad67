"""Names that can be taken for each other, and canonical bytes of raw objects."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.mcp.pins.plain_files import read_plain_file
from verilabel.gateway.mcp.pins.raw_form import digest_raw, write_raw
from verilabel.gateway.mcp.pins.skeletons import (
    fold_name,
    imitates_ascii,
    mixes_scripts,
    read_as_ascii,
    skeleton_of,
)
from verilabel.gateway.mcp.pins.unseen_text import NAME_CHARACTERS, find_hidden, show_name, show_text


@pytest.mark.parametrize(
    "other",
    [
        "send_mаil",  # Cyrillic a
        "ѕеnd_mаіl",  # all Cyrillic that looks so
        "sεnd_mαιl",  # Greek
        "ꜱend_mail",  # Latin small capital
        "ｓｅｎｄ＿ｍａｉｌ",  # full width
        "𝐬𝐞𝐧𝐝_𝒎𝒂𝒊𝒍",  # mathematical letters
        "send‐mail",  # a hyphen that is not the ASCII one
        "Send-Mail",
        "send_mai1",
        "send_ma|l",
        "send_rnail",
        "s\u0435nd\u200b_mail",
        "sénd_máil",
    ],
)
def test_names_that_look_alike_have_one_skeleton(other: str) -> None:
    assert skeleton_of("send_mail") == skeleton_of(other)


@pytest.mark.parametrize("other", ["send_email", "sendmail", "send_mails", "read_mail", "почта", "send/mail"])
def test_names_that_look_different_have_different_skeletons(other: str) -> None:
    assert skeleton_of("send_mail") != skeleton_of(other)


@pytest.mark.parametrize(
    "name", ["send_mail", "küche", "møde", "łódź", "メール", "почта", "δοκιμή", "天気tool", "Straße"]
)
def test_names_in_one_script_imitate_nothing(name: str) -> None:
    assert not imitates_ascii(name)
    assert not mixes_scripts(name)


@pytest.mark.parametrize("name", ["раураl", "gооgle", "ａｄｍｉｎ", "𝐫𝐨𝐨𝐭", "ѕсоре"])
def test_names_in_borrowed_letters_imitate_ascii(name: str) -> None:
    assert imitates_ascii(name)


def test_case_and_dashes_are_folded_and_nothing_else_of_ascii() -> None:
    assert "send_mail" == fold_name("SEND-Mail")
    assert fold_name("a.b/c1") == "a.b/c1"


def test_a_text_in_borrowed_letters_reads_as_ascii() -> None:
    assert "ignore all" == read_as_ascii("Іgnоrе 𝐚𝐥𝐥")


@given(st.text(max_size=200))
def test_shown_names_are_harmless_and_bounded(name: str) -> None:
    shown = show_name(name)
    assert shown.isascii() and shown.isprintable() and 0 < len(shown) <= 67
    if name and set(name) <= NAME_CHARACTERS and len(name) <= 64:
        assert name == shown


@given(st.text(max_size=200))
def test_shown_texts_have_nothing_hidden(text: str) -> None:
    assert None is find_hidden(show_text(text, 1_000))


# -- raw objects -----------------------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_canonical_bytes_are_json_of_the_same_value(value: object) -> None:
    assert value == json.loads(write_raw(value))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"0"),
        (1.0, b"1"),
        (4.50, b"4.5"),
        (2e-3, b"0.002"),
        (1e-6, b"0.000001"),
        (1e-7, b"1e-7"),
        (1e21, b"1000000000000000000000"),
        (6.022006857934051e16, b"60220068579340512"),
        (1e20, b"100000000000000000000"),
        (5e-324, b"5e-324"),
        (333333333.33333329, b"333333333.3333333"),
        (9007199254740994.0, b"9007199254740994"),
        (-1.5e-10, b"-1.5e-10"),
    ],
)
def test_numbers_are_written_as_rfc_8785_asks_and_in_full_beyond_2_to_53(number: float, text: bytes) -> None:
    assert text == write_raw(number)


def test_keys_are_sorted_by_their_utf_16_units() -> None:
    # the order of RFC 8785 section 3.2.3, in which an emoji stands before a letter of a higher code unit
    expected = '{"1":1,"\u00e9":2,"\U0001f600":3,"\ufb33":4}'.encode()
    assert expected == write_raw({"\ufb33": 4, "\U0001f600": 3, "\u00e9": 2, "1": 1})


def test_large_integers_are_not_rounded() -> None:
    assert digest_raw(2**53) != digest_raw(2**53 + 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, "\ud800", {"a": b"x"}, {"a": {2}}])
def test_what_is_no_json_has_no_canonical_bytes(value: object) -> None:
    with pytest.raises(MalformedInput):
        write_raw(value)


@pytest.mark.parametrize("value", ["x" * 2**20, 10**500, ["y" * 1000] * 2000])
def test_what_is_too_large_has_no_canonical_bytes(value: object) -> None:
    with pytest.raises(LimitExceeded):
        write_raw(value)


def test_a_pipe_keeps_no_reader_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "mail.lock"
    os.mkfifo(pipe)
    with pytest.raises(MalformedInput, match="plain file"):
        read_plain_file(pipe, 100)
    with pytest.raises(MalformedInput, match="plain file"):
        read_plain_file(Path("/dev/zero"), 100)
