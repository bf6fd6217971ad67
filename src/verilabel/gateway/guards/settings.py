"""Reading a guard's settings: typed, nothing unknown, every mistake with its place; and the versions made of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest

MAX_FILE_BYTES = 2**20
Settings = TypeVar("Settings", bound=msgspec.Struct)


def read_settings(raw: Mapping[str, Any], type: type[Settings], where: str) -> Settings:
    """Settings of a kind. Raises MalformedInput with the place of what is wrong."""
    try:
        return msgspec.convert(_plain(raw), type=type)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        raise MalformedInput(
            said, where=f"{where}{path.rstrip('`')}", hint=f"settings here: {', '.join(_fields(type))}"
        ) from error


def _fields(type: type[msgspec.Struct]) -> tuple[str, ...]:
    return type.__struct_encode_fields__ or ("none",)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def version_of(kind: str, code: str, *parts: object) -> str:
    """A guard's version: one digest over kind, version of the code, settings and data."""
    return digest(msgspec.json.encode([kind, code, *map(_encodable, parts)], order="deterministic"))


def _encodable(part: object) -> object:
    return msgspec.to_builtins(part) if isinstance(part, msgspec.Struct) else part


def read_beside(folder: Path, name: str, where: str) -> bytes:
    """A file that settings name, in or below the policy's folder.

    Raises UsageError where it is not there, MalformedInput where it leads outside, LimitExceeded beyond a mebibyte.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise MalformedInput("the file is outside the policy's folder", where=where)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=f"{where}: {path}") from error
    if len(data) > MAX_FILE_BYTES:
        raise LimitExceeded(f"a file of more than {MAX_FILE_BYTES} bytes", where=f"{where}: {path}")
    return data
