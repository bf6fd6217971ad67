"""API keys: read from the environment or a private file, shown to nobody but the request's header."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from verilabel.errors import ModelError, UsageError

MAX_KEY_BYTES = 16 * 1024
MAX_ESCAPINGS = 4
"""How often text inside text is unescaped: JSON in a string of JSON doubles every escape."""
_ESCAPE = re.compile(rb'\\(?:u00([2-7][0-9A-Fa-f])|(["/\\]))')


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else found[2]


class ApiKey:
    """A secret: its text is in no repr, str, format or pickle; `reveal` is the one way out."""

    __slots__ = ("_bytes", "_text")

    def __init__(self, text: str, *, where: str) -> None:
        if not text or len(text) > MAX_KEY_BYTES or not all("!" <= char <= "~" for char in text):
            raise UsageError(
                "the API key is empty, too long or holds characters no key has",
                where=where,
                hint="one line, no spaces",
            )
        self._text = text
        self._bytes = text.encode()

    def reveal(self) -> str:
        """The key itself, for the header that carries it."""
        return self._text

    def stands_in(self, data: bytes) -> bool:
        """True if the data repeats the key, as it is or with the escapes of JSON, nested ones too."""
        for _ in range(MAX_ESCAPINGS):
            if self._bytes in data:
                return True
            if b"\\" not in data:
                return False
            data = _ESCAPE.sub(_unescape, data)
        return self._bytes in data

    def __repr__(self) -> str:
        return "ApiKey(***)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be copied out of its process")


def find_key(
    *,
    key_env: str | None,
    key_file: str | Path | None,
    defaults: tuple[str, ...],
    environ: Mapping[str, str] | None = None,
) -> ApiKey | None:
    """The key from a file or a named environment variable, else from the first of `defaults` that is set.

    Returns None where only defaults were looked for and none is set. Raises UsageError for a file that others
    can read, ModelError for a named variable that is not set.
    """
    variables = os.environ if environ is None else environ
    if key_env is not None and key_file is not None:
        raise UsageError("give the key by a file or by an environment variable, not by both")
    if key_file is not None:
        return _read_key_file(Path(key_file))
    if key_env is not None:
        if not variables.get(key_env):
            raise ModelError("the environment variable of the API key is not set", where=key_env)
        return ApiKey(variables[key_env].strip(), where=key_env)
    for name in defaults:
        if variables.get(name):
            return ApiKey(variables[name].strip(), where=name)
    return None


def _read_key_file(path: Path) -> ApiKey:
    where = str(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UsageError(f"the key file cannot be read: {error.strerror}", where=where) from error
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise UsageError("the key file is not a regular file", where=where)
        if os.name == "posix" and info.st_mode & 0o077:
            raise UsageError(
                "others on this machine can read the key file", where=where, hint=f"chmod 600 {where}"
            )
        data = os.read(descriptor, MAX_KEY_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        return ApiKey(data.decode("ascii").strip(), where=where)
    except UnicodeDecodeError:
        # the decode error would carry the key's bytes
        raise UsageError("the key file holds characters no key has", where=where) from None
