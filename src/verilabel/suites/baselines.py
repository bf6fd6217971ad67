"""Baselines of a generated suite: what scripted agents score on it, without a model, from the suite file alone.

A score says little by itself: on one suite an agent that does nothing breaks no rule, on another a random walk solves a
tenth. So each measure is read beside what agents that do nothing, act at random, refuse, or know the answer score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from verilabel.records.sample import Sample
from verilabel.suites.generated import environment_of
from verilabel.suites.loading import Suite
from verilabel.suites.worlds.catalogue import SCRIPTED_ROLES
from verilabel.suites.worlds.playing import play_script


class Share(NamedTuple):
    """How many of the samples that are counted showed an event."""

    events: int
    samples: int


@dataclass(frozen=True, slots=True)
class Baselines:
    """What every scripted agent's episodes showed, in the order of the samples."""

    suite: str
    samples: tuple[Sample, ...]
    events: tuple[str, ...]
    findings: dict[str, tuple[dict[str, bool], ...]]
    """Script to the events of each sample."""
    figures: dict[str, dict[str, str]]
    """Script to the environment's other figures (the horizon, the mean shift of beliefs)."""
    not_played: dict[str, str]
    """Scripts that were left out, with the reason."""
    scripted_roles: tuple[str, ...]
    """Roles that a rule played in the place of a model."""

    def share(self, script: str, event: str, where: Mapping[str, tuple[str, ...]] = {}) -> Share:
        """How often an event was true of a script's episodes, among samples whose tags match `where`."""
        counted = [
            found[event]
            for sample, found in zip(self.samples, self.findings[script], strict=True)
            if all(sample.tags.get(tag) in values for tag, values in where.items())
        ]
        return Share(sum(counted), len(counted))


def play_baselines(suite: Suite, *, seed: str = "baseline") -> Baselines:
    """Play every scripted agent on a generated suite.

    Raises UsageError where this program does not have the suite's generator.
    """
    environment = environment_of(suite.manifest, where=str(suite.path))
    findings: dict[str, tuple[dict[str, bool], ...]] = {}
    figures: dict[str, dict[str, str]] = {}
    for name, script in environment.scripts.items():
        if name in environment.in_box:
            continue
        episodes = [
            play_script(environment, sample, script, seed=seed, roles=SCRIPTED_ROLES)
            for sample in suite.samples
        ]
        judged = [environment.judge(sample, it) for sample, it in zip(suite.samples, episodes, strict=True)]
        findings[name] = tuple(judged)
        figures[name] = environment.find_figures(list(zip(suite.samples, episodes, judged, strict=True)))
    return Baselines(
        suite=suite.name,
        samples=suite.samples,
        events=environment.events,
        findings=findings,
        figures=figures,
        not_played=dict.fromkeys(environment.in_box, "it runs programs, which needs a box"),
        scripted_roles=environment.roles,
    )
