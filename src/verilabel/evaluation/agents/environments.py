"""Which environment an agentic suite's samples are answered in; plain suites have none."""

from __future__ import annotations

from collections.abc import Iterable

from verilabel.suites.loading import Suite
from verilabel.suites.worlds.catalogue import find_environment
from verilabel.suites.worlds.interface import Environment


def environment_of(suite: Suite) -> Environment | None:
    """The environment of a suite; None for a plain suite, and for an environment that this program does not have."""
    return find_environment(suite.manifest.environment) if suite.manifest.environment else None


def environments_of(suites: Iterable[Suite]) -> dict[str, Environment]:
    """The agentic ones among suites (`id@version`), with their environments."""
    found = {suite.name: environment_of(suite) for suite in suites}
    return {name: environment for name, environment in found.items() if environment is not None}
