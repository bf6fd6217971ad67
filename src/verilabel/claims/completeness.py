"""What a claim says of how it was measured, and what it leaves out: counts of fields, never a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from verilabel.claims.claim import FIELD_SAYS, SAFETY_ONLY, Claim, Field, Said
from verilabel.claims.rules import known_rules

MAX_WORDS = 160


class FieldCount(msgspec.Struct, frozen=True):
    """For how many claims a field is stated, stated in part, and missing; `asked` claims need it at all."""

    field: Field
    asked: int
    stated: int
    in_part: int
    missing: int
    nearby: int = 0
    """Of those stated, wholly or in part: where the words stand in the claim's section, not in the claim."""


class Actionability(msgspec.Struct, frozen=True):
    """Whether acting on the claims is possible as they stand, with the reasons. There is no score."""

    actionable: bool | None
    """None where there is no claim."""
    sentence: str
    reasons: tuple[str, ...]


def state_fields(claim: Claim, own: str, near: str, *, prompts_shown: bool = False) -> Claim:
    """Fill in a claim's fields from its own words and from its section's.

    `own` are the words of the claim and of what belongs to it alone, `near` those of its section; `prompts_shown` says
    that the section speaks of prompts and shows a literal text. What a reader of
    data has stated already (`claim.fields`) stays.
    """
    fields: dict[Field, Said] = {}
    for field in FIELD_SAYS:
        if field in SAFETY_ONLY and claim.topic != "safety":
            continue
        fields[field] = claim.fields.get(field) or _say(field, claim, own, near, prompts_shown=prompts_shown)
    return msgspec.structs.replace(claim, fields=fields)


def _say(field: Field, claim: Claim, own: str, near: str, *, prompts_shown: bool) -> Said:
    if field == "configuration":
        return _say_configuration(claim, own, near)
    said = {"metric": claim.metric, "n": claim.n, "interval": claim.interval, "date": claim.date}.get(
        field, ""
    )
    if said:
        return Said("stated", said[:MAX_WORDS])
    if field == "metric":
        return Said("missing")
    for text, is_near in ((own, False), (near, True)):
        words = _find_field(field, text)
        if words:
            return Said("stated", words, near=is_near)
    if field == "prompts" and prompts_shown:
        return Said("stated", "shown as a literal text in the section", near=True)
    return Said("missing")


@lru_cache(maxsize=512)
def _find_field(field: Field, text: str) -> str:
    """The words of a text that state a field; a section is looked through once for all of its claims."""
    match = known_rules().fields[field].search(text)
    return match[0][:MAX_WORDS] if match else ""


@lru_cache(maxsize=512)
def _find_part(part: str, text: str) -> str:
    match = known_rules().configuration[part].search(text)
    return match[0][:MAX_WORDS] if match else ""


def _say_configuration(claim: Claim, own: str, near: str) -> Said:
    words, missing, is_near = [], [], False
    for part in known_rules().configuration:
        in_claim, in_section = _find_part(part, f"{claim.configuration}\n{own}"), _find_part(part, near)
        if in_claim or in_section:
            words.append(in_claim or in_section)
            is_near = is_near or not in_claim
        else:
            missing.append(part)
    if claim.configuration and claim.configuration not in words:
        words.insert(0, claim.configuration)
    if not words:
        return Said("missing", missing=tuple(missing))
    text = "; ".join(dict.fromkeys(words))[:MAX_WORDS]
    return Said("in_part" if missing else "stated", text, is_near, tuple(missing))


def count_fields(claims: Iterable[Claim]) -> list[FieldCount]:
    """For every field, how many claims state it."""
    counted: dict[Field, Counter[str]] = {field: Counter() for field in FIELD_SAYS}
    for claim in claims:
        for field, said in claim.fields.items():
            counted[field][said.state] += 1
            counted[field]["nearby"] += said.near
    return [
        FieldCount(
            field,
            states["stated"] + states["in_part"] + states["missing"],
            states["stated"],
            states["in_part"],
            states["missing"],
            states["nearby"],
        )
        for field, states in counted.items()
    ]


def judge_actionability(counts: Iterable[FieldCount], claims: int) -> Actionability:
    """The verdict with its reasons: which fields are missing, for how many claims."""
    if not claims:
        return Actionability(None, "No claim was found: there is nothing to act on.", ())
    reasons = []
    for count in counts:
        lacking = count.missing + count.in_part
        if lacking:
            part = f", in part for {count.in_part}" if count.in_part else ""
            reasons.append(
                f"{FIELD_SAYS[count.field]}: missing for {count.missing} of {count.asked} claims{part}"
            )
    if reasons:
        sentence = "If the provider cannot supply these, the label is not actionable."
        return Actionability(False, sentence, tuple(reasons))
    return Actionability(True, "Every claim states what acting on it needs.", ())


def count_kinds(claims: Iterable[Claim]) -> Mapping[str, int]:
    """How many claims of each topic and kind there are."""
    counted = Counter(f"{claim.topic} {claim.kind}" for claim in claims)
    return dict(sorted(counted.items()))
