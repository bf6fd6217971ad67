"""Linear classifiers with whole-number weights: the same decision on every machine, from a data file with a digest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

from verilabel.detectors.features import Reading
from verilabel.detectors.phrases import PhraseBook
from verilabel.records.canonical import digest
from verilabel.records.score import ErrorCounts


class LinearModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights in thousandths of a nat of log odds. The event is decided where the margin is above zero."""

    id: str
    version: str
    event: str
    features: str
    """Name of the feature extraction these weights belong to."""
    reading: Reading
    bias: int
    weights: dict[str, int]

    def margin(self, features: Mapping[str, int]) -> int:
        """Log odds of the event in thousandths: bias plus the weighted sum of the features."""
        weigh = self.weights.get
        return self.bias + sum([weigh(name, 0) * value for name, value in features.items()])


def read_data(name: str) -> bytes:
    """The bytes of a data file shipped with the detectors."""
    return resources.files("verilabel.detectors").joinpath("data", name).read_bytes()


@cache
def load_model(name: str) -> LinearModel:
    """A shipped model by the name of its file."""
    return msgspec.json.decode(read_data(f"{name}.json"), type=LinearModel)


@cache
def phrase_book() -> PhraseBook:
    """The shipped phrase book."""
    return PhraseBook(msgspec.json.decode(read_data("phrases.json"), type=dict[str, list[str]]))


@cache
def measured_errors(detector: str) -> tuple[ErrorCounts, ...]:
    """The shipped error measurements of a bundled detector: counts against people, disjoint data sets."""
    return msgspec.json.decode(read_data("errors.json"), type=dict[str, tuple[ErrorCounts, ...]]).get(
        detector, ()
    )


def digest_of_rules(*files: str, version: str) -> str:
    """One digest of the data files and of the code version that reads them."""
    return digest("\n".join([version, *(digest(read_data(name)) for name in files)]).encode())


def log_odds(margin: int) -> str:
    """A margin as people read it: signed, in nats, three places."""
    return f"{'-' if margin < 0 else '+'}{abs(margin) // 1000}.{abs(margin) % 1000:03d}"
