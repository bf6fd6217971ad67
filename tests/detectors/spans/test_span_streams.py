"""Whole texts as the plain reference says, streams as the whole: for any rules, texts and parts."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from span_reference import find_plainly, redact_plainly
from verilabel.detectors.spans.rule import Match, Rule
from verilabel.detectors.spans.ruleset import RuleSet

NIGHTLY = os.environ.get("VERILABEL_NIGHTLY") == "1"
many = settings(
    max_examples=10_000 if NIGHTLY else 60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
some = settings(max_examples=2_000 if NIGHTLY else 40, suppress_health_check=[HealthCheck.too_slow])

ALPHABET = 'abA1-@ "\\né日😀'
_atoms = st.sampled_from(
    ["a", "b", "1", "-", "@", "é", "日", "[ab]", "[^b]", r"\d", r"[a1é]", r"\w", "A", " ", '"']
)
_bounds = (
    st.tuples(st.integers(0, 2), st.integers(0, 3)).map(lambda p: (p[0], p[0] + p[1])).filter(lambda p: p[1])
)


def _repeat(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda text, bound, lazy: f"(?:{text}){{{bound[0]},{bound[1]}}}{lazy}",
        inner,
        _bounds,
        st.sampled_from(["", "", "?"]),
    )


_parts = st.recursive(
    _atoms | st.just(r"\b") | _repeat(_atoms),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda b: f"(?:{'|'.join(b)})")
        | _repeat(inner)
    ),
    max_leaves=5,
)
_checks = st.sampled_from([None, None, lambda text: len(text) % 2 == 0, lambda text: "1" in text])


@st.composite
def _rules(draw: st.DrawFn) -> list[Rule]:
    rules = []
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["plain", "plain", "plain", "secret", "long", "tail", "words"]))
        name = {"id": f"r{index}", "label": f"R{index}"}
        first = draw(st.sampled_from(["a", "b", "1", "[ab]", "@", "é"]))
        pattern = draw(st.sampled_from(["", r"\b"])) + first + draw(_parts)
        folds = draw(st.booleans())
        if kind == "words":
            words = draw(st.lists(st.text("abA1- é日", min_size=1, max_size=5), min_size=1, max_size=6))
            rules.append(Rule(**name, words=tuple(words), ignore_case=folds))
        elif kind == "secret":
            pattern = f"{pattern}(?P<secret>{draw(_parts)}){draw(st.sampled_from(['', 'a', '@?']))}"
            rules.append(Rule(**name, pattern=pattern, ignore_case=folds, check=draw(_checks)))
        elif kind == "long":
            body = draw(st.sampled_from(["[ab]", "[^-]", r"[\w]", "1"]))
            end = draw(st.sampled_from([None, "-a{1,2}", "-?b", "@|@a1"]))
            rules.append(Rule(**name, pattern=pattern, body=body, end=end, ignore_case=folds))
        else:
            rules.append(Rule(**name, pattern=pattern, check=draw(_checks), ignore_case=folds))
    return rules


_texts = st.text(ALPHABET, max_size=40) | st.lists(
    st.sampled_from(["ab", "a1", "1-1", "a@b", "ba", "aaa", "é", "-a", "日a", "b b", "\n"]), max_size=12
).map("".join)
_cuts = st.lists(st.integers(1, 7), max_size=60)


def split(text: str, sizes: list[int]) -> list[str]:
    """A text in parts of these sizes, the last size going on to the end (1 if there is none)."""
    parts, place, sizes = [], 0, list(sizes)
    while place < len(text):
        size = sizes.pop(0) if sizes else 1
        parts.append(text[place : place + size])
        place += size
    return parts


def stream(rules: RuleSet, parts: list[str], **options: Any) -> tuple[str, list[Match]]:
    """What a filter gives for a stream, and its matches."""
    span_filter = rules.filter(**options)
    out = "".join([span_filter.feed(part) for part in parts]) + span_filter.finish()
    return out, span_filter.matches


def without_text(matches: list[Match]) -> list[Match]:
    return [match._replace(text="") for match in matches]


_cases = st.lists(st.tuples(_texts, _cuts, st.none() | st.integers(0, 15)), min_size=3, max_size=20)


@given(rules=_rules(), cases=_cases)
@many
def test_whole_texts_are_as_the_reference_says_and_streams_as_the_whole(
    rules: list[Rule], cases: list[tuple[str, list[int], int | None]]
) -> None:
    compiled = RuleSet(rules)
    for text, sizes, active in cases:
        expected = find_plainly(rules, text, active)
        assert expected == compiled.find(text, active=active)
        assert redact_plainly(rules, text, active) == compiled.redact(text, active=active).text
        out, matches = stream(compiled, split(text, sizes), active=active)
        assert redact_plainly(rules, text, active) == out
        assert without_text(expected) == without_text(matches)


@given(rules=_rules(), text=_texts, sizes=_cuts, stops=st.frozensets(st.integers(0, 3), min_size=1))
@some
def test_nothing_from_a_stopping_match_on_is_given_out(
    rules: list[Rule], text: str, sizes: list[int], stops: frozenset[int]
) -> None:
    matches = find_plainly(rules, text)
    stop = next((match for match in matches if match.rule in stops), None)
    expected = redact_plainly(rules, text)
    if stop is not None:
        before = [match for match in matches if match.start < stop.start]
        expected, place = "", 0
        for match in before:
            expected += text[place : match.start] + f"[{rules[match.rule].label}]"
            place = match.end
        expected += text[place : stop.start]
    span_filter = RuleSet(rules).filter(stops=stops)
    out = "".join([span_filter.feed(part) for part in split(text, sizes)]) + span_filter.finish()
    assert expected == out
    assert (stop and (stop.rule, stop.start)) == (
        span_filter.stopped_by and (span_filter.stopped_by.rule, span_filter.stopped_by.start)
    )


@given(rules=_rules(), text=st.text(ALPHABET + "\ud83d\ude00\udc00", max_size=30), sizes=_cuts)
@some
def test_halves_of_characters_are_joined_over_parts_and_lone_ones_replaced(
    rules: list[Rule], text: str, sizes: list[int]
) -> None:
    compiled = RuleSet(rules)
    whole = compiled.redact(text)
    whole.text.encode()
    assert whole.text == stream(compiled, split(text, sizes))[0]
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert redact_plainly(rules, joined) == whole.text


@given(rules=_rules(), text=_texts, sizes=_cuts, shown=st.integers(0, 15))
@some
def test_a_substitute_sees_the_same_matches_in_streams_and_wholes(
    rules: list[Rule], text: str, sizes: list[int], shown: int
) -> None:
    def substitute(match: Match) -> str | None:
        seen.append(match)
        return None if shown >> match.rule & 1 else f"<{match.text.upper()}>"

    seen: list[Match] = []
    compiled = RuleSet(rules)
    whole, in_whole = compiled.redact(text, substitute=substitute).text, list(seen)
    seen.clear()
    assert whole == stream(compiled, split(text, sizes), substitute=substitute)[0]
    assert in_whole == seen


_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _source(draw: st.DrawFn) -> str:
    source = json.dumps(
        draw(_documents), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    return source.replace("/", "\\/") if draw(st.booleans()) else source


@given(rules=_rules(), source=_source(), sizes=_cuts)
@many
def test_json_source_stays_json_of_the_same_shape_and_streams_as_the_whole(
    rules: list[Rule], source: str, sizes: list[int]
) -> None:
    compiled = RuleSet(rules)
    whole = compiled.redact(source, json_source=True)
    assert whole.text == stream(compiled, split(source, sizes), json_source=True)[0]
    before, after = json.loads(source), json.loads(whole.text)
    if not whole.matches:
        assert before == after
    assert _shape(before) == _shape(after)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return "value"
