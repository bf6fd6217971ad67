"""One item of a suite: what the model is asked, and what is known about it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A suite's item. `family` groups paraphrases, the unit of independence; `stratum` names a population share."""

    id: str
    messages: tuple[Message, ...]
    family: str = ""
    stratum: str = ""
    tags: dict[str, str] = {}
    """Facts a measure may filter on: hazard, label, category."""
    target: tuple[str, ...] = ()
    """Gold answers: any of them is correct."""
    choices: tuple[str, ...] = ()
    """Answer options in the order shown, lettered A, B, C, ..."""

    @property
    def prompt(self) -> str:
        """The last user turn."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def unit(self) -> str:
        """The family, or the sample itself where it has none."""
        return self.family or self.id


class SampleEntry(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A sample's line in a bundle's suite index: all that counting needs, and a digest instead of the text."""

    id: str
    sha256: str
    family: str = ""
    stratum: str = ""
    tags: dict[str, str] = {}

    @property
    def unit(self) -> str:
        """The family, or the sample itself where it has none."""
        return self.family or self.id
