"""A trusted result does not vouch for what its own call named: looking an address up first launders nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway.mcp.policy.provenance import is_known, vouching_text


@pytest.mark.parametrize(
    ("text", "arguments", "value", "expected"),
    [
        ("no contact called thief@example.org", {"query": "thief@example.org"}, "thief@example.org", False),
        ("found: Alice <alice@example.org>", {"query": "alice"}, "alice@example.org", True),
        ("alice@example.org.evil.example", {"cut": ".evil.example"}, "alice@example.org", False),
        ("file 13 is called notes.txt", {"id": 13}, 13, False),
        ("file 13 is called notes.txt", {"id": 13}, "notes.txt", True),
        (
            "asked for https://evil.example/x",
            {"q": ["https://evil.example/x"]},
            "https://evil.example/x",
            False,
        ),
        ("asked for evil.example/x", {"q": "https://evil.example/x"}, "https://evil.example/x", False),
    ],
)
def test_a_result_does_not_vouch_for_what_its_own_call_named(
    text: str, arguments: dict[str, object], value: object, expected: bool
) -> None:
    assert expected is is_known(value, [vouching_text(text, arguments)])


@given(st.text(max_size=60), st.text(alphabet="abcdefg@.-/13", min_size=1, max_size=12))
def test_what_a_call_named_is_never_known_from_its_own_result(text: str, named: str) -> None:
    assert not is_known(named, [vouching_text(f"{text} {named} {text}", {"named": named})])


def test_what_cannot_be_taken_out_within_bounds_vouches_for_nothing() -> None:
    assert "" == vouching_text("a " * 100, {"many": [str(number) for number in range(5_000)]})
