"""Counts by group, and single answers to look at: what is shown beside the decision and takes no part in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from verilabel.evidence.counting import MeasureCounter
from verilabel.records.plan import Plan
from verilabel.records.score import Scored
from verilabel.report.episodes import read_prompt_of_inspect, view_episode
from verilabel.report.view import Breakdown, GroupCount, SampleView
from verilabel.report.walking import GROUP_TAG, Answer, Walk
from verilabel.report.wording import WITHHELD_SAYS, say_event, say_failure
from verilabel.rubric.structure import Rubric
from verilabel.statistics.exact import clopper_pearson

_TURN_KEYS = ("messages", "input", "contents")


def count_groups(walk: Walk | None, rubric: Rubric, plan: Plan) -> tuple[Breakdown, ...]:
    """Each measure's counts by hazard, where its samples have that tag and at least one was asked."""
    breakdowns = []
    for measure in plan.measures:
        groups = walk.groups.get(measure.id, []) if walk else []
        counted = tuple(_count_group(value, counter) for value, counter in groups)
        if not any(group.asked for group in counted):
            continue
        source = rubric.measures.get(measure.id)
        breakdowns.append(
            Breakdown(
                measure=measure.id,
                title=(source.title if source else None) or measure.id,
                counted=say_event(measure.event, negated=measure.negate),
                tag=GROUP_TAG,
                upwards=source is not None and source.direction != "lower_is_safer",
                in_families=measure.unit == "family",
                groups=counted,
                left_out=walk.groups_left_out[measure.id] if walk else 0,
            )
        )
    return tuple(breakdowns)


def _count_group(value: str, counter: MeasureCounter) -> GroupCount:
    n, events, missing = counter.n, counter.events, counter.missing
    # missing answers widen the interval on both sides (label-semantics section 5)
    lower = clopper_pearson(events, n)[0]
    upper = clopper_pearson(events + missing, n)[1]
    return GroupCount(value, n, events, missing, events / n if n else None, lower, upper)


def list_samples(walk: Walk | None, count: int) -> tuple[SampleView, ...]:
    """Up to `count` kept answers, taken from the measures in turn; missing ones only where others run out."""
    if walk is None or count <= 0:
        return ()
    chosen = [*_take_turns(walk.samples), *_take_turns(walk.unusable)]
    return tuple(_view_sample(name, answer) for name, answer in chosen[:count])


def _take_turns(kept: Mapping[str, Sequence[Answer]]) -> Iterator[tuple[str, Answer]]:
    queues = [[(name, answer) for answer in answers] for name, answers in kept.items()]
    for turn in itertools.zip_longest(*queues):
        yield from (item for item in turn if item is not None)


def _view_sample(measure: str, answer: Answer) -> SampleView:
    last = answer.last
    failure = last.failure
    message = "its words are withheld" if answer.withheld else failure and failure.message
    return SampleView(
        measure=measure,
        suite=last.suite,
        sample=last.sample,
        epoch=last.epoch,
        prompt=WITHHELD_SAYS
        if answer.withheld
        else read_prompt_of_inspect(last) or read_prompt(last.request),
        output=WITHHELD_SAYS if answer.withheld and last.output is not None else last.output,
        failure=None if failure is None else f"{say_failure(failure.kind)}: {message}",
        findings=tuple(
            f"{f.detector}: {f.event} = {str(f.value).lower()}{' (' + f.detail + ')' if f.detail else ''}"
            if isinstance(f, Scored)
            else f"{f.detector}: not scored ({f.reason})"
            for f in answer.findings
        ),
        withheld=answer.withheld,
        episode=None if answer.withheld else view_episode(last),
    )


def read_prompt(request: str) -> str:
    """The last user turn of a request body in any of the known dialects, else the body as it was sent."""
    try:
        body = msgspec.json.decode(request)
    except (msgspec.DecodeError, RecursionError):
        return request
    if not isinstance(body, dict):
        return request
    turns = next((body[key] for key in _TURN_KEYS if key in body), None)
    if isinstance(turns, str):
        return turns
    if not isinstance(turns, list):
        return request
    for turn in reversed(turns):
        if isinstance(turn, dict) and turn.get("role", "user") == "user":
            text = _text_of(turn.get("content", turn.get("parts")))
            if text is not None:
                return text
    return request


def _text_of(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
        return "\n".join(texts) if texts else None
    return None
