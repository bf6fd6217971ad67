"""Rules on arguments, compiled: what a value must be, or a short word for what it is not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any

from verilabel.errors import MalformedInput, MissingExtra
from verilabel.gateway.mcp.policy.addresses import (
    is_of_domain,
    is_within,
    read_email,
    read_host,
    read_path,
    read_url,
)
from verilabel.gateway.mcp.policy.document import ArgumentRule, ArgumentType

MAX_PATTERN = 1000
"""Characters of a pattern."""
MAX_ITEMS = 10_000
"""Items of a list that are looked at; a longer one is denied."""
MAX_NESTED = 100_000
"""Values inside one argument that are looked at; one with more is denied."""
_PATTERN_MEMORY = 4 * 2**20

Complaint = str | None
ItemTest = Callable[[Any], Complaint]


class ArgumentCheck:
    """One argument's rule, ready for use. `complain` is pure and raises nothing, whatever JSON it is given."""

    __slots__ = ("_kind", "_max_bytes", "_max_items", "_required", "_tests", "name")

    def __init__(self, name: str, rule: ArgumentRule, where: str) -> None:
        self.name = name
        self._required = rule.required
        self._kind = rule.type
        self._max_bytes = rule.max_bytes
        self._max_items = MAX_ITEMS if rule.max_items is None else min(rule.max_items, MAX_ITEMS)
        self._tests = tuple(_item_tests(rule, where))

    def complain(self, value: Any) -> Complaint:
        """What is wrong with a value in words that repeat nothing of it, or None. `None` stands for absent."""
        if value is None:
            return "is missing" if self._required else None
        if self._max_bytes is not None and not is_text_within(value, self._max_bytes):
            return "is too large"
        if self._kind == "object":
            return None if type(value) is dict else "is not an object"
        if type(value) is not list:
            return "is not a list" if self._kind == "list" else self._complain_of_item(value)
        if len(value) > self._max_items:
            return "has too many items"
        for item in value:
            if (complaint := self._complain_of_item(item)) is not None:
                return complaint
        return None

    def _complain_of_item(self, item: Any) -> Complaint:
        for test in self._tests:
            if (complaint := test(item)) is not None:
                return complaint
        return None


def is_text_within(value: Any, limit: int) -> bool:
    """True if all text of a value, keys among it, has at most `limit` bytes of UTF-8; a number counts as it prints."""
    waiting = [value]
    seen = total = 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if seen > MAX_NESTED:
            return False
        if type(item) is str:
            if len(item) > limit:
                return False
            total += len(item) if item.isascii() else len(item.encode("utf-8", "surrogatepass"))
        elif type(item) is dict:
            waiting.extend(item)
            waiting.extend(item.values())
        elif type(item) is list:
            waiting.extend(item)
        else:
            total += _printed_bytes(item)
        if total > limit:
            return False
    return True


def _printed_bytes(item: Any) -> int:
    if type(item) is int:
        return item.bit_length() // 3 + 1
    return 8


def scalar_key(value: Any) -> tuple[str, Any] | None:
    """What two JSON scalars share where they are equal: `1` and `1.0` do, `1` and `true` do not. None for others."""
    if type(value) is str:
        return "text", value
    if type(value) is bool:
        return "truth", value
    if type(value) is int:
        return "number", value
    if type(value) is float:
        return ("number", Decimal(repr(value))) if isfinite(value) else None
    if type(value) is Decimal:
        return ("number", value) if value.is_finite() else None
    return None


def compile_pattern(pattern: str, where: str) -> Callable[[str], bool]:
    """A test for texts that fit an RE2 pattern as a whole.

    Raises MalformedInput for one that RE2 does not take, MissingExtra without google-re2.
    """
    try:
        import re2
    except ImportError as error:
        raise MissingExtra("google-re2", "agents") from error
    if len(pattern) > MAX_PATTERN:
        raise MalformedInput(f"a pattern has at most {MAX_PATTERN} characters", where=where)
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _PATTERN_MEMORY, False, True
    try:
        # `fullmatch` of the public interface makes a generator and a match object for each call: twice the time
        run = re2.compile(pattern, options)._regexp.Match
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else b""
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise MalformedInput(
            f"RE2 does not take the pattern: {said[:120]}",
            where=where,
            hint="no look-around, no back-references",
        ) from None
    whole = re2._re2.RE2.Anchor.ANCHOR_BOTH

    def fits(text: str) -> bool:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return False
        return bool(run(whole, data, 0, len(data))[0][0] == 0)

    return fits


def _item_tests(rule: ArgumentRule, where: str) -> list[ItemTest]:
    tests: list[ItemTest] = []
    if rule.type is not None and rule.type not in ("list", "object"):
        tests.append(_type_test(rule))
    if rule.one_of:
        tests.append(_one_of_test(rule.one_of))
    if rule.pattern is not None:
        fits = compile_pattern(rule.pattern, f"{where}.pattern")
        tests.append(lambda item: None if type(item) is str and fits(item) else "does not fit the pattern")
    if rule.domains or rule.type == "url":
        tests.append(_domain_test(rule))
    if rule.within:
        tests.append(_within_test(rule.within, where))
    if rule.min is not None or rule.max is not None:
        tests.append(_range_test(rule.min, rule.max))
    return tests


def _type_test(rule: ArgumentRule) -> ItemTest:
    plain: dict[ArgumentType, tuple[Callable[[Any], bool], str]] = {
        "string": (_is_text, "is not text"),
        "email": (
            lambda item: type(item) is str and read_email(item) is not None,
            "is no plain e-mail address",
        ),
        "url": (lambda item: type(item) is str and read_url(item) is not None, "is no plain URL"),
        "domain": (_is_domain, "is no plain host name"),
        "path": (lambda item: type(item) is str and read_path(item) is not None, "is no plain path"),
        "integer": (lambda item: type(item) is int, "is not a whole number"),
        "number": (_is_number, "is not a number"),
        "boolean": (lambda item: type(item) is bool, "is not true or false"),
    }
    assert rule.type is not None
    holds, complaint = plain[rule.type]
    return lambda item: None if holds(item) else complaint


def _is_text(item: Any) -> bool:
    if type(item) is not str:
        return False
    return item.isascii() or not any("\ud800" <= char <= "\udfff" for char in item)


def _is_domain(item: Any) -> bool:
    host = read_host(item) if type(item) is str else None
    return host is not None and not host.is_number


def _is_number(item: Any) -> bool:
    if type(item) is float:
        return isfinite(item)
    return type(item) is int or (type(item) is Decimal and item.is_finite())


def _one_of_test(values: tuple[Any, ...]) -> ItemTest:
    allowed = frozenset(key for value in values if (key := scalar_key(value)) is not None)

    def test(item: Any) -> Complaint:
        key = scalar_key(item)
        return None if key is not None and key in allowed else "is none of the values allowed"

    return test


def split_domains(domains: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Exact names (with a port where one is given) and suffixes with their dot, all in lower case."""
    lowered = [domain.lower() for domain in domains]
    exact = frozenset(domain for domain in lowered if not domain.startswith("*."))
    return exact, tuple(domain[1:] for domain in lowered if domain.startswith("*."))


def _domain_test(rule: ArgumentRule) -> ItemTest:
    exact, suffixes = split_domains(rule.domains)
    schemes = frozenset(scheme.lower() for scheme in rule.schemes)
    anywhere = not rule.domains

    def test(item: Any) -> Complaint:
        if type(item) is not str:
            return "is not text"
        port = ""
        if rule.type == "url" or "://" in item:
            url = read_url(item)
            if url is None:
                return "is no plain URL"
            if url.scheme not in schemes:
                return "has another scheme"
            host, port = url.host, url.port
        else:
            address = read_email(item)
            found = address[1] if address is not None else read_host(item)
            if found is None:
                return "has no plain host name"
            host = found
        if anywhere:
            return "leads to an address in numbers or a port of its own" if host.is_number or port else None
        return None if is_of_domain(host, port, exact, suffixes) else "is of another domain"

    return test


def _within_test(folders: tuple[str, ...], where: str) -> ItemTest:
    read: list[str] = []
    for index, folder in enumerate(folders):
        path = read_path(folder)
        if path is None:
            raise MalformedInput("not a plain folder", where=f"{where}.within[{index}]")
        read.append(path)

    def test(item: Any) -> Complaint:
        path = read_path(item) if type(item) is str else None
        if path is None:
            return "is no plain path"
        return None if any(is_within(path, folder) for folder in read) else "lies outside the folders allowed"

    return test


def _range_test(low: Decimal | None, high: Decimal | None) -> ItemTest:
    def test(item: Any) -> Complaint:
        if not _is_number(item):
            return "is not a number"
        if low is not None and item < low:
            return "is too small"
        return "is too large" if high is not None and item > high else None

    return test
