"""Linear classifiers with whole-number weights: the same decision on every machine, from a data file with a digest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from verilabel.records.canonical import digest
from verilabel.records.score import ErrorCounts


class LinearModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights in thousandths of a nat of log odds. The event is decided where the margin is above zero."""

    id: str
    version: str
    event: str
    features: str
    """Name of the feature extraction these weights belong to."""
    bias: int
    weights: dict[str, int]

    def margin(self, features: Mapping[str, int]) -> int:
        """Log odds of the event in thousandths: bias plus the weighted sum of the features."""
        weigh = self.weights.get
        return self.bias + sum(weigh(name, 0) * value for name, value in features.items())


def read_data(name: str) -> bytes:
    """The bytes of a data file shipped with the detectors."""
    return resources.files("verilabel.detectors").joinpath("data", name).read_bytes()


@cache
def load_model(name: str) -> tuple[LinearModel, str]:
    """A shipped model and the digest of its file."""
    data = read_data(f"{name}.json")
    return msgspec.json.decode(data, type=LinearModel), digest(data)


@cache
def measured_errors(detector: str) -> tuple[ErrorCounts, ...]:
    """The shipped error measurements of a bundled detector: counts against people, disjoint data sets."""
    table: dict[str, Any] = msgspec.json.decode(read_data("errors.json"))
    return msgspec.convert(tuple(table.get(detector, ())), type=tuple[ErrorCounts, ...])
