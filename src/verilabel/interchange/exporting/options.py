"""What whoever exports decides: texts, open rows, who they are to the model's maker, and keys and names to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from verilabel.evidence.keys import PrivateKey

Undetermined = Literal["skip", "fail"]
Relationship = Literal["first_party", "third_party", "collaborative", "other"]
RELATIONSHIPS: tuple[Relationship, ...] = ("first_party", "third_party", "collaborative", "other")


@dataclass(frozen=True)
class HubTask:
    """A leaderboard of the Hugging Face Hub: a benchmark's dataset repository, and a task that it defines."""

    repo: str
    task: str


@dataclass(frozen=True)
class ExportOptions:
    """The choices that exporters read; each has a default that claims the least."""

    texts: bool | None = None
    """Whether prompts and answers are written: None leaves it to the format."""
    undetermined: Undetermined = "skip"
    """What a row that the evidence does not decide is to a program that knows only pass and fail."""
    relationship: Relationship = "other"
    """The evaluator's relation to the model's maker. A bundle does not say it."""
    key: PrivateKey | None = field(default=None, repr=False)
    """Signs in-toto statements; None leaves them unsigned."""
    verifier: str | None = None
    """URI under which whoever exports is known, for statements on a verification."""
    salt: bytes | None = field(default=None, repr=False)
    """Secret: identities become salted commitments where the format has them."""
    hub_tasks: dict[str, HubTask] = field(default_factory=dict)
    """Measure to the leaderboard that it belongs to."""
    bundle_url: str | None = None
    """Where the bundle can be had."""
