"""What every generated environment shares: samples that follow from their own id, and so from the suite's seed.

A sample's id is its number and 96 bits of SHA-256 over the environment, the suite's seed and the number. All else about
it (the task, the world, the answer) is drawn from the id, so that a world can be opened from a sample alone, and a
sample that was changed is noticed. The id is never shown to the model.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from verilabel.errors import MalformedInput
from verilabel.records.episode import EpisodeSummary
from verilabel.records.sample import Sample
from verilabel.suites.format import MAX_GENERATED, SEED_PATTERN
from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.interface import Script, World

_ID = re.compile(r"([0-9]{4})-([0-9a-f]{24})", re.ASCII)
_KEPT_LAYOUTS = 2_048

L = TypeVar("L")
Judged = tuple[Sample, EpisodeSummary, Mapping[str, bool]]
"""A sample, its episode, and the events that are true of it."""


class SeededEnvironment(ABC, Generic[L]):
    """An environment whose samples are drawn from their ids; a subclass says how (`draw_layout`, `describe`)."""

    id: str
    version: str
    title: str
    summary: str
    events: tuple[str, ...]
    tags: tuple[str, ...]
    """The tags that every sample has."""
    has_families: bool = False
    """True where samples that are not independent share a family."""
    needs_box: bool = False
    roles: tuple[str, ...] = ()
    scripts: Mapping[str, Script]
    in_box: tuple[str, ...] = ()
    """Scripts that run programs: they can be played with a box only."""
    citation: str = "Verilabel contributors"

    def __init__(self) -> None:
        self._build = lru_cache(maxsize=_KEPT_LAYOUTS)(self._build_from_id)

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"

    @abstractmethod
    def draw_layout(self, number: int, chance: Chance) -> L:
        """All that a sample is about, drawn from its own chance; `number` chooses its kind, so that kinds are even."""

    @abstractmethod
    def describe(self, sample_id: str, layout: L) -> Sample:
        """The sample that puts the layout to a model."""

    @abstractmethod
    def enter(self, layout: L) -> World:
        """A new world of a layout."""

    @abstractmethod
    def judge(self, sample: Sample, episode: EpisodeSummary) -> dict[str, bool]:
        """Which events are true of an episode (`interface.Environment.judge`)."""

    def find_figures(self, _: Sequence[Judged]) -> dict[str, str]:
        """What else can be said of all episodes together, as label to text; nothing for most environments."""
        return {}

    def generate(self, seed: str, count: int) -> list[Sample]:
        """`count` samples from the seed, numbered from 0; a longer suite begins with the samples of a shorter one.

        Raises MalformedInput for a seed that is not 1 to 64 hexadecimal digits, or a count out of 1 .. 10,000.
        """
        if SEED_PATTERN.fullmatch(seed) is None:
            raise MalformedInput(f"{seed[:80]!r} is no seed", hint="1 to 64 lower-case hexadecimal digits")
        if not 1 <= count <= MAX_GENERATED:
            raise MalformedInput(f"{count} samples", hint=f"1 to {MAX_GENERATED}")
        return [self._build(self._id_of(seed, number))[0] for number in range(count)]

    def open(self, sample: Sample) -> World:
        """The world of a sample. Raises MalformedInput for a sample that is not of this environment."""
        return self.enter(self.layout_of(sample))

    def layout_of(self, sample: Sample) -> L:
        """What a sample is about. Raises MalformedInput for a sample that is not of this environment."""
        if _ID.fullmatch(sample.id) is not None:
            own, layout = self._build(sample.id)
            if own == sample:
                return layout
        raise MalformedInput(f"sample {sample.id[:60]!r} is none that {self.name} makes")

    def _id_of(self, seed: str, number: int) -> str:
        mixed = hashlib.sha256(f"{self.name}\x00{seed}\x00{number}".encode()).hexdigest()
        return f"{number:04d}-{mixed[:24]}"

    def _build_from_id(self, sample_id: str) -> tuple[Sample, L]:
        layout = self.draw_layout(int(sample_id[:4]), Chance(self.name, sample_id))
        return self.describe(sample_id, layout), layout
