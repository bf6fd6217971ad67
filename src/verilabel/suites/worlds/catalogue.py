"""The environments that come with the program, by the id of the suite that each makes."""

from __future__ import annotations

from functools import cache
from typing import Any

from verilabel.suites.worlds.autonomy import Autonomy
from verilabel.suites.worlds.coding import Coding
from verilabel.suites.worlds.injection import Injection
from verilabel.suites.worlds.marks import answer_as_mark
from verilabel.suites.worlds.persuading import ROLE, Persuading
from verilabel.suites.worlds.planning import Planning
from verilabel.suites.worlds.playing import Role
from verilabel.suites.worlds.seeded import SeededEnvironment

_MAKERS: tuple[type[SeededEnvironment[Any]], ...] = (Planning, Coding, Persuading, Injection, Autonomy)
SCRIPTED_ROLES: dict[str, Role] = {ROLE: answer_as_mark}
"""Rules in the place of the models that play roles, for trying things out: never for a label."""


@cache
def environments() -> dict[str, SeededEnvironment[Any]]:
    """Every environment by its id, opened once: they hold no state."""
    return {maker.id: maker() for maker in _MAKERS}


def find_environment(name: str) -> SeededEnvironment[Any] | None:
    """The environment of a suite's name (`id@version`); None where this program has none of exactly that version."""
    found = environments().get(name.partition("@")[0])
    return found if found is not None and found.name == name else None


def environments_with(event: str) -> list[SeededEnvironment[Any]]:
    """The environments that tell of an event."""
    return [environment for environment in environments().values() if event in environment.events]
