"""Which rules are refused, what streams hold back, and that nothing of a secret gets out at any size of parts."""

from __future__ import annotations

import base64
import json

import pytest

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.rule import Rule
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.errors import LimitExceeded, MalformedInput

ALL = RuleSet([rule for name in ("pii", "secrets", "injection") for rule in open_pack(name)])


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(id="r", label="R", pattern="a.*b"), "without bound"),
        (Rule(id="r", label="R", pattern="(?:ab)+"), "without bound"),
        (Rule(id="r", label="R", pattern="a(?=b)"), "assert"),
        (Rule(id="r", label="R", pattern="(a)\\1"), "groupref"),
        (Rule(id="r", label="R", pattern="^a"), "at beginning"),
        (Rule(id="r", label="R", pattern="a$"), "at end"),
        (Rule(id="r", label="R", pattern="a\\Bb"), "non boundary"),
        (Rule(id="r", label="R", pattern="a?"), "empty text"),
        (Rule(id="r", label="R", pattern="(?s)a.b"), r"\(\?i\) alone"),
        (Rule(id="r", label="R", pattern="a(?i:b)"), "flags for a part"),
        (Rule(id="r", label="R", pattern="a("), "not a pattern"),
        (Rule(id="r", label="R", pattern="a", end="b"), "`end` without"),
        (Rule(id="r", label="R", pattern="a", body="bc"), "one character class"),
        (Rule(id="r", label="R", pattern="a+", check=str.isdigit), "bounded width"),
        (Rule(id="r", label="R", pattern="a", words=("b",)), "not both"),
        (Rule(id="r", label="R"), "neither"),
        (Rule(id="r", label="R", pattern="(?:ab){9000}"), "more than 1000 times"),
        (Rule(id="r", label="R", pattern="a{8193}"), "limit is 8192"),
        (Rule(id="r", label="R", pattern="(?:a(?P<secret>b)){2}"), "in a repeat"),
    ],
)
def test_a_rule_that_a_stream_cannot_be_searched_for_is_refused_by_name(rule: Rule, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason) as refused:
        RuleSet([rule])
    assert "rule r" in str(refused.value)


def test_rules_of_one_name_and_too_many_rules_are_refused() -> None:
    with pytest.raises(MalformedInput, match="twice"):
        RuleSet([Rule(id="r", label="R", pattern="a"), Rule(id="r", label="R", pattern="b")])
    with pytest.raises(LimitExceeded, match="limit is 1000"):
        RuleSet([Rule(id=f"r{n}", label="R", pattern="a") for n in range(1001)])


def test_a_pattern_that_ends_without_bound_is_a_long_kind() -> None:
    rules = RuleSet([Rule(id="r", label="R", pattern=r"\bsk-(?P<secret>[A-Za-z0-9_]{4,})\b")])
    text = "x sk-" + "a1" * 20_000 + "! y"
    assert "x sk-[R]! y" == rules.redact(text).text
    span_filter = rules.filter()
    out, held = "", 0
    for place in range(0, len(text), 50):
        out += span_filter.feed(text[place : place + 50])
        held = max(held, span_filter.held_chars)
    assert "x sk-[R]! y" == out + span_filter.finish()
    assert held < 10
    assert (5, 40_005) == (span_filter.matches[0].start, span_filter.matches[0].end)


def test_what_is_held_back_never_exceeds_the_widest_match() -> None:
    rules = RuleSet([Rule(id="r", label="R", pattern="eyJ[A-Za-z0-9_-]{10,2000}!")])
    span_filter = rules.filter()
    held = 0
    for char in "eyJ" + "a" * 6000:
        span_filter.feed(char)
        held = max(held, span_filter.held_chars)
    assert held <= 2004


def test_prose_is_hardly_held_back() -> None:
    text = "The quick brown fox jumps over the lazy dog, and then it went home to sleep at last. " * 20
    span_filter = ALL.filter()
    held = []
    for place in range(0, len(text), 4):
        span_filter.feed(text[place : place + 4])
        held.append(span_filter.held_chars)
    assert sum(held) / len(held) < 5


LEAKS = {
    "email": "jonathan.q.appleseed@mail.example.org",
    "ssn": "123-45-6789",
    "card": "4111 1111 1111 1111",
    "github key": "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"[:36],
    "jwt": "eyJ"
    + "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + "eyJ"
    + "zdWIiOiIxMjM0NTY3ODkwIn0" * 8
    + "."
    + "c2lnbmF0dXJl" * 4,
    "key block": "-----BEGIN RSA PRIVATE KEY-----\n"
    + base64.encodebytes(bytes(range(256)) * 4).decode()
    + "-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", LEAKS)
def test_no_part_of_a_secret_leaves_a_stream_at_any_size_of_parts(kind: str) -> None:
    secret = LEAKS[kind]
    text = f"Sure, here it is: {secret} and that was all."
    expected = ALL.redact(text).text
    assert (
        longest_common(secret, expected.replace("Sure, here it is: ", "").replace("and that was all", ""))
        <= 6
    )
    for size in range(1, 65):
        span_filter = ALL.filter()
        parts = [text[place : place + size] for place in range(0, len(text), size)]
        assert expected == "".join([span_filter.feed(part) for part in parts]) + span_filter.finish()


@pytest.mark.parametrize("kind", LEAKS)
def test_no_part_of_a_secret_leaves_the_arguments_of_a_tool_call(kind: str) -> None:
    secret = LEAKS[kind]
    plain = json.dumps({"to": secret, "note": f"line\n{secret}"})
    hidden = '{"to": "' + "".join(f"\\u{ord(char):04x}" for char in secret) + '"}'
    for source in (plain, hidden):
        expected = ALL.redact(source, json_source=True).text
        decoded = json.loads(expected)
        assert longest_common(secret, decoded["to"]) <= 3
        for size in (1, 2, 3, 5, 8, 13, 64):
            span_filter = ALL.filter(json_source=True)
            parts = [source[place : place + size] for place in range(0, len(source), size)]
            assert expected == "".join([span_filter.feed(part) for part in parts]) + span_filter.finish()


def longest_common(secret: str, text: str) -> int:
    """Characters of the longest run of the secret in the text."""
    best = 0
    for start in range(len(secret)):
        while secret[start : start + best + 1] in text and start + best < len(secret):
            best += 1
    return best


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"card": 4111111111111111}', '{"card": "[CARD]"}'),
        ('{"n": 4111111111111111.5}', '{"n": 1.5}'),
        ('{"a": "x\\nbob@example.com"}', '{"a": "x\\n[EMAIL]"}'),
        ('{"a": "bob\\u0040example.com"}', '{"a": "[EMAIL]"}'),
        ('{"u": "https:\\/\\/x"}', '{"u": "https://x"}'),
        ('{"k": "-----BEGIN PRIVATE KEY-----\\nMIIE"}', '{"k": "[SECRET]"}'),
        ('{"k": "a \\"quoted\\" word"}', '{"k": "a \\"quoted\\" word"}'),
        ('{"private_key_id": "' + "0a" * 20 + '"}', '{"private_key_id": "[SECRET]"}'),
    ],
)
def test_json_source_is_read_by_meaning_and_stays_json(source: str, expected: str) -> None:
    assert expected == ALL.redact(source, json_source=True).text
    json.loads(expected)


def test_a_long_kind_that_begins_in_a_number_leaves_a_number() -> None:
    rules = RuleSet([Rule(id="r", label="R", pattern=r"7\b", body="[^-]")])
    assert "[1.111e-45]" == rules.redact("[7.401e-45]", json_source=True).text
    span_filter = rules.filter(json_source=True)
    assert "[1.111e-45]" == "".join([span_filter.feed(char) for char in "[7.401e-45]"]) + span_filter.finish()


def test_a_stopped_stream_gives_out_nothing_more() -> None:
    rules = RuleSet([Rule(id="r", label="R", pattern="stop[0-9]")])
    span_filter = rules.filter(stops=frozenset({0}))
    assert "go on " == span_filter.feed("go on sto")
    assert "" == span_filter.feed("p1 and more")
    assert span_filter.stopped_by is not None
    assert "" == span_filter.feed("anything") + span_filter.finish()
    assert (6, 11) == (span_filter.stopped_by.start, span_filter.stopped_by.end)
    assert 0 == span_filter.held_chars
