"""How often the language of real texts was told rightly."""

from __future__ import annotations

from importlib import resources

import msgspec

from verilabel.audit.interface import Error


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `benchmarks.audit.measure_language` wrote down, and how it was measured."""

    method: str
    told: tuple[Error, ...]
    """Of all documents, and of those with a high `language_sure`."""


def measured_errors() -> Measured:
    """The measurement that comes with this version."""
    file = resources.files("verilabel.audit.language") / "measured.json"
    return msgspec.json.decode(file.read_bytes(), type=Measured)
