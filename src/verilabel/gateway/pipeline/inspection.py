"""Looking at the texts of one request or reply: span rules at once, passage guards under their time-outs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from verilabel.detectors.spans.interface import SpanFilter
from verilabel.detectors.spans.rule import Match
from verilabel.gateway.guards.faults import FAULTS
from verilabel.gateway.guards.interface import Conversation, Judgement
from verilabel.gateway.guards.quick import QUICK_CHARS
from verilabel.gateway.pipeline.chain import Chain, PassageEntry, SpanPlan
from verilabel.gateway.verdicts import Action, Direction, Field, Finding
from verilabel.gateway.wire.interface import Slot

PART_CHARS = 1024
"""A longer text is looked at in parts of this length: hostile ones take microseconds a character."""
TURN_CHARS = 16_384
MAX_ASKED_AT_ONCE = 32
"""Texts of one request that one slow guard is asked about at once."""
SLOT_CHARS = 64
"""What a slot costs besides its characters, in characters."""
Substitute = Callable[[Match], str | None]


class Text(NamedTuple):
    """A text that guards judge, and where it stands."""

    text: str
    field: Field
    choice: int


class Inspection:
    """What the guards of one direction said of one request, as it grows.

    `worst` is the greatest action of all enforced findings and `decisive` the finding that asked for it first;
    `scanned` counts characters by field. `masks`, `shadow_masks` are the span rules that look in this request.
    """

    __slots__ = (
        "chain",
        "choice_of_worst",
        "decisive",
        "findings",
        "mask",
        "masks",
        "named",
        "scanned",
        "shadow_masks",
        "substitute",
        "worst",
    )

    def __init__(self, chain: Chain, mask: int = -1) -> None:
        self.chain = chain
        self.mask = mask
        self.findings: list[Finding] = []
        self.worst = Action.ALLOW
        self.decisive: Finding | None = None
        self.scanned: dict[Field, int] = {}
        self.named: list[str] = []
        silent = chain.silent_guards(mask) if chain.conditional and mask != -1 else frozenset()
        enforced, shadow = chain.enforced, chain.shadow
        self.masks = {} if enforced is None else enforced.masks_without(silent) if silent else enforced.masks
        self.shadow_masks = {} if shadow is None else shadow.masks_without(silent) if silent else shadow.masks
        self.substitute: Substitute | None = None if enforced is None else enforced.substitute

    def note(self, finding: Finding, action: Action) -> None:
        """Add a finding; in shadow mode it decides nothing."""
        self.findings.append(finding)
        if not finding.shadow and action > self.worst:
            self.worst = action
            self.decisive = finding

    def redact(self, text: str, field: Field, choice: int = 0, *, is_plain: bool = False) -> str:
        """The text with the span rules' replacements; findings are noted, those that stop among them."""
        chain = self.chain
        self.scanned[field] = self.scanned.get(field, 0) + len(text)
        plan = chain.shadow
        if plan is not None and (mask := self.shadow_masks[field]) != 0:
            json_source = field == "tool_arguments" and not is_plain
            found = plan.spans.find(text, active=mask, json_source=json_source)
            if found:
                self.note_matches(plan, found, field, choice, shadow=True)
        plan = chain.enforced
        if plan is None or (mask := self.masks[field]) == 0:
            return text
        redaction = plan.spans.redact(
            text,
            substitute=self.substitute,
            active=mask,
            json_source=field == "tool_arguments" and not is_plain,
        )
        if redaction.matches:
            self.note_matches(plan, redaction.matches, field, choice, shadow=False)
        return redaction.text

    def note_matches(
        self, plan: SpanPlan, matches: Sequence[Match], field: Field, choice: int, *, shadow: bool
    ) -> None:
        """Note matches of a plan, one finding a rule."""
        counts: dict[int, int] = {}
        for match in matches:
            counts[match.rule] = counts.get(match.rule, 0) + 1
        for index, count in counts.items():
            self.note_count(plan, index, count, field, choice, shadow=shadow)

    def note_count(
        self, plan: SpanPlan, rule: int, count: int, field: Field, choice: int, *, shadow: bool
    ) -> None:
        """Note so many matches of one rule of a plan."""
        each = plan.actions[rule]
        finding = Finding(
            guard=each.guard.id,
            rule=each.rule,
            action=each.action.word,
            field=field,
            direction=self.chain.direction,
            choice=choice,
            count=count,
            shadow=shadow,
        )
        self.note(finding, each.action)

    async def redact_slots(self, slots: Sequence[Slot]) -> bool:
        """Redact every slot in place. True if a text changed. Long texts go part by part, with turns for others."""
        changed = False
        if self.chain.looks and not slots:
            self.scanned["content"] = 0  # it was looked at, and there was no text in it
        if self.chain.enforced is None and self.chain.shadow is None:
            return False
        at_once = 0
        for container, key, field, _, choice, is_plain in slots:
            text = container[key]
            if len(text) > PART_CHARS:
                new = await self._redact_long(text, field, choice, is_plain=is_plain)
            else:
                at_once += len(text) + SLOT_CHARS
                if at_once > TURN_CHARS:
                    at_once = 0
                    await asyncio.sleep(0)
                new = self.redact(text, field, choice, is_plain=is_plain)
            if new is not text and new != text:
                container[key] = new
                changed = True
        return changed

    async def _redact_long(self, text: str, field: Field, choice: int, *, is_plain: bool) -> str:
        """The same as `redact`, as a stream would be: what is streamed is what the whole text would be."""
        chain = self.chain
        json_source = field == "tool_arguments" and not is_plain
        self.scanned[field] = self.scanned.get(field, 0) + len(text)
        enforced, shadow = chain.enforced, chain.shadow
        out: str = text
        if shadow is not None and (mask := self.shadow_masks[field]) != 0:
            watching = shadow.spans.filter(active=mask, json_source=json_source)
            await _pass_in_parts(watching, text)
            self.note_matches(shadow, watching.matches, field, choice, shadow=True)
        if enforced is not None and (mask := self.masks[field]) != 0:
            redacting = enforced.spans.filter(
                substitute=self.substitute, active=mask, json_source=json_source
            )
            out = await _pass_in_parts(redacting, text)
            self.note_matches(enforced, redacting.matches, field, choice, shadow=False)
        return out

    def passage_entries(self, *, shadow: bool) -> list[PassageEntry]:
        """The passage guards that look in this request."""
        mode = "shadow" if shadow else "enforce"
        return [
            each
            for each in self.chain.passages
            if each.entry.mode == mode and (not each.condition or each.condition & self.mask)
        ]

    async def judge(
        self, texts: Sequence[Text], about: Conversation, *, shadow: bool = False
    ) -> list[tuple[PassageEntry, Text, Judgement]]:
        """Ask every passage guard about every text in its fields; the judgements that found something.

        Quick guards are asked at once, the others together. A guard that cannot look is a finding of its own.
        """
        direction = self.chain.direction
        found: list[tuple[PassageEntry, Text, Judgement]] = []
        at_once = 0
        waiting: list[Awaitable[list[tuple[PassageEntry, Text, Judgement | None]]]] = []
        for each in self.passage_entries(shadow=shadow):
            slow: list[Text] = []
            for text in texts:
                if text.field not in each.fields or not text.text:
                    continue
                self.scanned[text.field] = self.scanned.get(text.field, 0) + len(text.text)
                if not _is_slow(each, text):
                    at_once += len(text.text)
                    if (
                        at_once > QUICK_CHARS
                    ):  # many short texts are as long as one: let others have their turn
                        at_once = len(text.text)
                        await asyncio.sleep(0)
                    self._take(each, text, _judge_now(each, text, direction, about), found)
                else:
                    slow.append(text)
            if slow:
                waiting.append(_judge_all(each, slow, direction, about))
        for judged in await asyncio.gather(*waiting) if waiting else ():
            for entry, text, judgement in judged:
                self._take(entry, text, judgement, found)
        return found

    def count_slow(self, texts: Sequence[Text]) -> int:
        """How many texts that enforced guard is asked about which is asked about most, where asking takes time."""
        return max(
            (
                sum(1 for text in texts if text.field in each.fields and text.text and _is_slow(each, text))
                for each in self.passage_entries(shadow=False)
            ),
            default=0,
        )

    def _take(
        self,
        each: PassageEntry,
        text: Text,
        judgement: Judgement | None,
        found: list[tuple[PassageEntry, Text, Judgement]],
    ) -> None:
        if judgement is not None and not judgement.found:
            return
        entry = each.entry
        if judgement is None:
            action = Action.BLOCK if entry.on_error == "block" else Action.ALLOW
            rule, score = "error", None
        else:
            action, rule, score = (
                each.action_for(judgement.rule),
                judgement.rule or entry.use,
                judgement.score,
            )
            found.append((each, text, judgement))
        finding = Finding(
            guard=entry.id,
            rule=rule,
            action=action.word,
            field=text.field,
            direction=self.chain.direction,
            choice=text.choice,
            score=score,
            shadow=entry.mode == "shadow",
            error=judgement is None,
        )
        self.note(finding, action)


async def _pass_in_parts(filter_: SpanFilter, text: str) -> str:
    parts = []
    for i in range(0, len(text), PART_CHARS):
        parts.append(filter_.feed(text[i : i + PART_CHARS]))
        await asyncio.sleep(0)
    parts.append(filter_.finish())
    return "".join(parts)


def _judge_now(each: PassageEntry, text: Text, direction: Direction, about: Conversation) -> Judgement | None:
    try:
        return each.guard.judge_now(text.text, text.field, direction, about)
    except Exception as error:  # whatever a guard's code does, its `on_error` decides
        FAULTS.note(each.entry.id, error)
        return None


def _is_slow(each: PassageEntry, text: Text) -> bool:
    """True if a guard is awaited on a text, and not asked at once."""
    return not each.guard.is_quick or len(text.text) > QUICK_CHARS


async def _judge_all(
    each: PassageEntry, texts: Sequence[Text], direction: Direction, about: Conversation
) -> list[tuple[PassageEntry, Text, Judgement | None]]:
    """One guard on many texts, in their order, so many at once as `MAX_ASKED_AT_ONCE`; each has the whole time-out."""
    if len(texts) == 1:
        return [await _judge(each, texts[0], direction, about)]
    judged: list[tuple[PassageEntry, Text, Judgement | None]] = [(each, text, None) for text in texts]
    places = iter(range(len(texts)))

    async def ask_on() -> None:
        for place in places:
            judged[place] = await _judge(each, texts[place], direction, about)
            # a guard that knows every answer already never waits, and others must have their turn
            if place % MAX_ASKED_AT_ONCE == MAX_ASKED_AT_ONCE - 1:
                await asyncio.sleep(0)

    await asyncio.gather(*(ask_on() for _ in range(min(MAX_ASKED_AT_ONCE, len(texts)))))
    return judged


async def _judge(
    each: PassageEntry, text: Text, direction: Direction, about: Conversation
) -> tuple[PassageEntry, Text, Judgement | None]:
    try:
        async with asyncio.timeout(each.entry.timeout_ms / 1000):
            return each, text, await each.guard.judge(text.text, text.field, direction, about)
    except Exception as error:  # too slow, refusing or mistaken: it is a guard that could not look
        FAULTS.note(each.entry.id, error)
        return each, text, None


def apply_judgement(each: PassageEntry, text: str, judgement: Judgement, action: Action) -> str:
    """The text as a redacting or replacing guard wants it."""
    if action == Action.REPLACE and each.entry.replace_with is not None:
        return each.entry.replace_with
    if judgement.replacement is not None:
        return judgement.replacement
    if not judgement.spans:
        return each.entry.replace_with if each.entry.replace_with is not None else f"[{each.entry.id}]"
    parts: list[str] = []
    position = 0
    for start, end, label in sorted(judgement.spans):
        begin = max(start, position)
        if end > begin:
            parts += [text[position:begin], f"[{label}]"]
            position = end
    return "".join(parts) + text[position:]


def apply_judgements(text: str, changes: Sequence[tuple[PassageEntry, Judgement, Action]]) -> str:
    """The text as all guards want it that redact or replace something in it.

    Stretches of several guards are replaced together. Where one of several guards wants another text altogether, that
    of the guard could still hold what the others found: fixed words stand for the whole text then.
    """
    if len(changes) == 1:
        return apply_judgement(changes[0][0], text, changes[0][1], changes[0][2])
    for each, judgement, action in changes:
        entry = each.entry
        if action == Action.REPLACE and entry.replace_with is not None:
            return entry.replace_with
        if judgement.replacement is not None or not judgement.spans:
            return entry.replace_with if entry.replace_with is not None else f"[{entry.id}]"
    first, judgement, action = changes[0]
    spans = tuple(span for _, each, _ in changes for span in each.spans)
    return apply_judgement(first, text, msgspec.structs.replace(judgement, spans=spans), action)


def slots_as_texts(slots: Sequence[Slot]) -> list[Text]:
    """The texts of slots, for passage guards."""
    return [Text(slot.text, slot.field, slot.choice) for slot in slots]


def describe_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for people: which guard, which rule, where; never the text."""
    return [
        {"guard": each.guard, "rule": each.rule, "field": each.field, "action": each.action}
        for each in findings
        if not each.shadow
    ]
