"""What conditions may ask of a request: the names, and their values in the one form in which CEL compares them right.

| name | type | what it is |
|---|---|---|
| `request.model` | text | the model's name, as the client asked for it |
| `request.route` | text | the route that matched |
| `request.stream` | truth value | True if a stream was asked for |
| `request.media` | whole number | images, audio and files |
| `request.tools` | list of text | names of the tools that are offered |
| `request.turns` | whole number | messages |
| `request.system` | text | the system prompt |
| `request.params` | map | sampling parameters; every number in it is a double |
| `request.end_user` | text or null | whom the client says it asks for |
| `key.id`, `key.name`, `key.role`, `key.user` | text | the virtual key |
| `label.present` | truth value | True if the target has a verified label |
| `label.rubric`, `.granted`, `.cannot_exclude`, `.verification`, `.digest` | text or null | the label |
| `now.hour`, `now.minute`, `now.weekday` | whole number | UTC; Monday is 1, Sunday 7 |

Numbers: a client may write 1 or 1.0 for one parameter, and CEL divides and adds the two differently. Parameters are
therefore always doubles, and whole numbers beyond 2^53, which a double cannot hold, are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Protocol

import msgspec

MAX_TEXT = 4096
"""Characters of a text other than the system prompt."""
MAX_SYSTEM = 2**20
MAX_TOOLS = 512
MAX_TOOL_NAME = 256
MAX_PARAMS = 256
"""Values in `request.params`, those inside lists and maps counted."""
MAX_PARAM_DEPTH = 6
LARGEST_NUMBER = 2**53


class UnfitFact(Exception):
    """A fact is larger than conditions look at, or no value that they can compare; the message has no content."""


class KeyFacts(Protocol):
    """What a key must say of itself (`access.interface.Holder` does)."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def role(self) -> str:
        """Its role."""

    @property
    def user(self) -> str:
        """Who is behind it."""


class LabelFacts(msgspec.Struct, frozen=True):
    """What conditions may ask of a label."""

    present: bool = False
    rubric: str | None = None
    granted: str | None = None
    cannot_exclude: str | None = None
    verification: str | None = None
    digest: str | None = None


NO_LABEL = LabelFacts()
_LEVELS = frozenset({"V0", "V1", "V2", "V2s", "V3", "V4"})


def read_label(header: str | None, digest: str | None = None) -> LabelFacts:
    """The facts in a label header's value such as `verilabel/core@1 L2 cannot-exclude=L3 V2 sha256:1f...`.

    Words that are not understood are left out; `digest` takes the place of the header's own.
    """
    if not header:
        return NO_LABEL
    found: dict[str, str] = {}
    for index, word in enumerate(header.split()):
        name, sign, value = word.partition("=")
        if index == 0:
            found["rubric"] = word
        elif sign and name == "cannot-exclude":
            found["cannot_exclude"] = value
        elif word in _LEVELS:
            found["verification"] = word
        elif word.startswith("sha256:"):
            found["digest"] = word
        elif not sign:
            found.setdefault("granted", word)
    if digest is not None:
        found["digest"] = digest
    return LabelFacts(True, **found)


class Facts:
    """The facts of one request. Nothing is converted before a condition asks for it, and then once.

    `request` is what the client's dialect describes, with `route`; `now` is UTC.
    """

    __slots__ = ("_ready", "_sources")

    def __init__(
        self, *, request: Mapping[str, Any], key: KeyFacts, now: datetime, label: LabelFacts = NO_LABEL
    ) -> None:
        self._sources: tuple[Any, ...] = (request, key, label, now)
        self._ready: dict[str, Any] = {}

    def value(self, name: str) -> Any:
        """The value of a fact by its flat name, such as `request_model`. Raises UnfitFact."""
        ready = self._ready
        if name in ready:
            return ready[name]
        source, member, convert = _READERS[name]
        held = self._sources[source]
        given = held.get(member) if source == 0 else getattr(held, member)
        value = ready[name] = convert(given)
        return value

    def named_params(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those of the request's parameters that have one of the names. Raises UnfitFact."""
        given = self._sources[0]["params"]
        left = [MAX_PARAMS]
        return {name: _comparable(given[name], left, MAX_PARAM_DEPTH) for name in names if name in given}


def _text(limit: int) -> Callable[[Any], str | None]:
    def convert(value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnfitFact("not a text")
        if len(value) > limit:
            raise UnfitFact("a text too long for conditions")
        return value

    return convert


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise UnfitFact("not a count")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise UnfitFact("not a truth value")
    return value


def _names(value: Any) -> list[str]:
    if len(value) > MAX_TOOLS:
        raise UnfitFact("too many tools for conditions")
    for name in value:
        if not isinstance(name, str) or len(name) > MAX_TOOL_NAME:
            raise UnfitFact("not a tool's name")
    return list(value)


def _params(value: Any) -> dict[str, Any]:
    left = [MAX_PARAMS]
    converted: dict[str, Any] = _comparable(value, left, MAX_PARAM_DEPTH)
    return converted


def _comparable(value: Any, left: list[int], depth: int) -> Any:
    if type(value) is float and isfinite(value):
        return value
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        raise UnfitFact("too many or too deep parameters for conditions")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _param_text(value)
    if isinstance(value, int | float | Decimal):
        return _double(value)
    if isinstance(value, Mapping):
        return {_param_text(key): _comparable(item, left, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item, left, depth - 1) for item in value]
    raise UnfitFact("not a parameter's value")


_param_text = _text(MAX_TEXT)


def _double(value: int | float | Decimal) -> float:
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise UnfitFact("a whole number beyond 2^53")
    number = float(value)
    if not isfinite(number):
        raise UnfitFact("not a number that can be compared")
    return number


def _same(value: Any) -> Any:
    return value


MEMBERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "request": {
        "model": _text(MAX_TEXT),
        "route": _text(MAX_TEXT),
        "stream": _truth,
        "media": _count,
        "tools": _names,
        "turns": _count,
        "system": _text(MAX_SYSTEM),
        "params": _params,
        "end_user": _text(MAX_TEXT),
    },
    "key": {name: _text(MAX_TEXT) for name in ("id", "name", "role", "user")},
    "label": dict.fromkeys(LabelFacts.__struct_fields__, _same),
    "now": {
        "hour": _same,
        "minute": _same,
        "weekday": lambda isoweekday: isoweekday(),
    },
}
"""What conditions may name, with what makes the value comparable."""

_ATTRIBUTES = {"weekday": "isoweekday"}
_READERS = {
    f"{root}_{member}": (source, _ATTRIBUTES.get(member, member), convert)
    for source, (root, members) in enumerate(MEMBERS.items())
    for member, convert in members.items()
}
