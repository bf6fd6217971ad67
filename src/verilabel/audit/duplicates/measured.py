"""How often near duplicates were found, and found rightly, on corpora with planted copies."""

from __future__ import annotations

from importlib import resources

import msgspec

from verilabel.audit.interface import Error


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `benchmarks.audit.measure_duplicates` wrote down, and how it was measured."""

    method: str
    exact: Error
    near: Error
    """Copies whose true Jaccard similarity of word 5-grams is at least 0.8."""


def measured_errors() -> Measured:
    """The measurement that comes with this version."""
    file = resources.files("verilabel.audit.duplicates") / "measured.json"
    return msgspec.json.decode(file.read_bytes(), type=Measured)
