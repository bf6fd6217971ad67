"""What a careful reader would object to in a suite that loads: repeats, giveaways, facts that are missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from verilabel.records.sample import Sample
from verilabel.suites.format import Manifest
from verilabel.suites.loading import Suite
from verilabel.suites.mapping import LETTERS

LETTER_Z = 3.0
"""Standard deviations from an even spread at which a gold letter counts as unbalanced."""
MAX_PROMPT_CHARACTERS = 100_000
"""Longer prompts exceed the context of many models (about 25,000 tokens)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One objection: a `problem` makes results wrong, a `warning` may be meant."""

    severity: Literal["problem", "warning"]
    rule: str
    message: str
    samples: tuple[str, ...] = ()


def lint_suite(suite: Suite) -> list[Finding]:
    """Every objection to a loaded suite, problems first."""
    findings = [
        # where an agent acts in a world, one prompt may stand before many worlds
        *(() if suite.manifest.environment else _repeated_prompts(suite.samples)),
        *_repeated_options(suite.samples),
        *_unbalanced_letters(suite.samples),
        *_unshown_options(suite),
        *_absent_facts(suite),
        *_long_prompts(suite.samples),
        *_unsourced(suite.manifest),
    ]
    return sorted(findings, key=lambda finding: finding.severity)


def normalised_prompt(sample: Sample) -> str:
    """The words of all turns without case, punctuation and spacing: equal ones are near-duplicates."""
    text = " ".join(turn.content for turn in sample.messages).casefold()
    return " ".join("".join(char if char.isalnum() else " " for char in text).split())


def _repeated_prompts(samples: tuple[Sample, ...]) -> Iterator[Finding]:
    """Equal prompts count one observation twice, unless a family says that they are one unit."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(normalised_prompt(sample), []).append(sample)
    for text, group in groups.items():
        if len(group) == 1 or not text:
            continue
        ids = tuple(sample.id for sample in group)
        same = len({sample.messages for sample in group}) == 1
        kind = "the same prompt" if same else "prompts that differ in case, spacing or punctuation alone"
        if len({sample.unit for sample in group}) > 1:
            rule = "duplicate-prompt" if same else "near-duplicate-prompt"
            yield Finding("warning", rule, f"{kind}, but not in one family", ids)


def _repeated_options(samples: tuple[Sample, ...]) -> Iterator[Finding]:
    twice = tuple(
        s.id for s in samples if len({option.casefold().strip() for option in s.choices}) < len(s.choices)
    )
    if twice:
        yield Finding("problem", "duplicate-option", "two options of one question are the same", twice)


def _unbalanced_letters(samples: tuple[Sample, ...]) -> Iterator[Finding]:
    """Gold letters that are not spread evenly: a model that always says one letter would profit.

    For questions of k options the count of one letter is binomial(n, 1/k) where golds are placed at random.
    """
    by_options: dict[int, list[Sample]] = {}
    for sample in samples:
        if sample.choices and len(sample.target) == 1:
            by_options.setdefault(len(sample.choices), []).append(sample)
    for options, group in sorted(by_options.items()):
        counts = Counter(sample.target[0] for sample in group)
        expected = len(group) / options
        deviation = math.sqrt(len(group) * (1 / options) * (1 - 1 / options))
        for letter in LETTERS[:options]:
            count = counts[letter]
            if abs(count - expected) > LETTER_Z * deviation:
                message = (
                    f"{count} of {len(group)} golds of {options} options are {letter}, even is {expected:.0f}"
                )
                yield Finding("warning", "unbalanced-gold", message)


def _unshown_options(suite: Suite) -> Iterator[Finding]:
    hidden = tuple(
        sample.id
        for sample in suite.samples
        if sample.choices and not all(option in sample.prompt for option in sample.choices)
    )
    if hidden:
        yield Finding(
            "problem",
            "hidden-option",
            "an option is not shown in the prompt; put {choices} in the template",
            hidden,
        )


def _absent_facts(suite: Suite) -> Iterator[Finding]:
    """Tags and families that only some samples have."""
    for tag in suite.manifest.fields.tags:
        without = tuple(sample.id for sample in suite.samples if tag not in sample.tags)
        if without:
            message = f"{len(without)} of {len(suite.samples)} samples have no tag {tag!r}"
            yield Finding("warning", "missing-tag", message, without)
    if suite.manifest.fields.family is not None:
        alone = tuple(sample.id for sample in suite.samples if not sample.family)
        if alone:
            yield Finding("warning", "missing-family", f"{len(alone)} samples have no family", alone)


def _long_prompts(samples: tuple[Sample, ...]) -> Iterator[Finding]:
    long = tuple(
        s.id for s in samples if sum(len(turn.content) for turn in s.messages) > MAX_PROMPT_CHARACTERS
    )
    if long:
        yield Finding("warning", "long-prompt", f"prompts of over {MAX_PROMPT_CHARACTERS} characters", long)


def _unsourced(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.source.citation:
        yield Finding("warning", "no-citation", "$.source.citation does not say where the prompts come from")
    if manifest.license.upper() == "UNKNOWN":
        yield Finding("warning", "no-license", "$.license does not say what others may do with the prompts")
