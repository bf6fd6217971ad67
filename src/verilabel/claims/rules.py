"""The rules for prose as data: patterns for classes and ranks, and for what a claim says of its making."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

from verilabel.claims.claim import Field


class Rules(NamedTuple):
    """The shipped patterns, compiled; a rule holds where one of its patterns is found."""

    categories: dict[str, re.Pattern[str]]
    """A class of statement to what says it."""
    comparison: re.Pattern[str]
    fields: dict[Field, re.Pattern[str]]
    """A field of a claim to what states it."""
    configuration: dict[str, re.Pattern[str]]
    """A part of the configuration to what states it."""


class _RulesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    categories: dict[str, tuple[str, ...]]
    comparison: tuple[str, ...]
    fields: dict[Field, tuple[str, ...]]
    configuration: dict[str, tuple[str, ...]]


@cache
def known_rules() -> Rules:
    """The rules that ship with the program."""
    data = resources.files("verilabel.claims").joinpath("data", "rules.json").read_bytes()
    file = msgspec.json.decode(data, type=_RulesFile)
    return Rules(
        {name: _any_of(patterns) for name, patterns in file.categories.items()},
        _any_of(file.comparison),
        {field: _any_of(patterns) for field, patterns in file.fields.items()},
        {part: _any_of(patterns) for part, patterns in file.configuration.items()},
    )


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)
