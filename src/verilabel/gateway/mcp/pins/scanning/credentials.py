"""Credentials in a configuration: found by the rules of the gateway's secrets guard, and never repeated."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.gateway.mcp.pins.scanning.commands import Suspicion
from verilabel.gateway.mcp.pins.unseen_text import show_name

MAX_VALUE = 100_000
_REFERENCES = ("${", "$(", "%", "{{", "<", "op://", "vault:", "env:", "keyring:", "secretref:", "$")
_CREDENTIAL_WORDS = (
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "api_key",
    "access_key",
    "private_key",
    "authorization",
    "credential",
)
_EXAMPLES = (
    "your",
    "xxx",
    "example",
    "changeme",
    "placeholder",
    "replace",
    "insert",
    "dummy",
    "todo",
    "...",
    "***",
)


@functools.cache
def _rules() -> RuleSet:
    return RuleSet(open_pack("secrets"))


def find_credential(name: str, value: str) -> str | None:
    """The kind of credential that a value is, or None. `name` is the variable, header or option that it stands under.

    References (`${TOKEN}`, `op://...`) and examples (`your-key`) are none.
    """
    text = value[:MAX_VALUE]
    bare = text.removeprefix("Bearer ").removeprefix("Basic ").strip()
    if not bare or bare.startswith(_REFERENCES):
        return None
    rules = _rules()
    for each in (text, f'{name}="{bare}"', f"{name}: {text}"):
        for match in rules.find(each):
            if not _is_example(match.text):
                return rules.rules[match.rule].id.removeprefix("secrets.")
    is_one = _is_named_so(name) and _is_chosen(bare) and not _is_example(bare)
    return "a value under the name of a credential" if is_one else None


def _is_example(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in _EXAMPLES)


def _is_named_so(name: str) -> bool:
    lowered = name.lower().replace("-", "_")
    return any(word in lowered for word in _CREDENTIAL_WORDS) and not lowered.endswith(
        ("_file", "_path", "_url")
    )


def _is_chosen(value: str) -> bool:
    """True for a value of the size and the mixture of a credential: no word, no path, no flag."""
    return (
        len(value) >= 16
        and "/" not in value[:1]
        and " " not in value
        and any(char.isdigit() for char in value)
        and any(char.isalpha() for char in value)
    )


def inspect_variables(values: Mapping[str, str], what: str) -> Iterator[tuple[str, Suspicion]]:
    """Credentials among variables or headers, with the key that each stands under."""
    for name, value in values.items():
        kind = find_credential(name, value)
        if kind is not None:
            shown = show_name(name)
            yield (
                name,
                Suspicion("mcp/secret-in-config", shown, f"{what} {shown} holds a credential ({kind})"),
            )


def find_in_arguments(command: tuple[str, ...]) -> Iterator[tuple[int, Suspicion]]:
    """Credentials among the arguments of a command, with their places."""
    for place, word in enumerate(command):
        option, _, value = word.partition("=")
        if not value and place and command[place - 1].startswith("-"):
            option, value = command[place - 1], word
        kind = find_credential(option.lstrip("-"), value or word)
        if kind is not None:
            shown = show_name(option.lstrip("-")) if value else f"argument {place}"
            yield place, Suspicion("mcp/secret-in-config", shown, f"an argument holds a credential ({kind})")


def find_in_address(url: str) -> Suspicion | None:
    """A credential in an address: a password, or a parameter."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query[:MAX_VALUE], max_num_fields=1_000)
        password = parts.password
    except ValueError:
        return None
    if password and not password.startswith(_REFERENCES):
        return Suspicion("mcp/secret-in-config", "(address)", "the address holds a password")
    for name, value in (*pairs, ("address", url)):
        kind = find_credential(name, value)
        if kind is not None:
            return Suspicion("mcp/secret-in-config", "(address)", f"the address holds a credential ({kind})")
    return None
