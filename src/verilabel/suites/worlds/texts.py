"""The texts that generated samples are made of: data files beside this one, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from verilabel.records.strict_yaml import load_strict_yaml

FOLDER = Path(__file__).parent / "data"
T = TypeVar("T")


@cache
def load_texts(name: str, form: type[T]) -> T:
    """A data file as the given form; its texts are filled by `str.format` with names that the environment knows."""
    path = FOLDER / f"{name}.yaml"
    return msgspec.convert(load_strict_yaml(path.read_bytes(), where=str(path)), form, strict=True)
