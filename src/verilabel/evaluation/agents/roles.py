"""The other models that take part in an episode: `--role mark=ADDRESS`, a panel where one is named more than once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from verilabel.errors import UsageError
from verilabel.evaluation.agents.settings import SEPARATOR
from verilabel.models.address import open_model
from verilabel.models.interface import (
    Exchange,
    Model,
    ModelRequest,
    PlainRequest,
    PlainResponse,
    Stopwatch,
)
from verilabel.records.sample import Message
from verilabel.records.system import Identity
from verilabel.suites.worlds.marks import answer_as_mark

AT = "@http"
"""Begins the base URL behind an address: `vllm/NAME@http://127.0.0.1:8001/v1`."""
MAX_PANEL = 16
SCRIPTED = "scripted:"
RULES: dict[str, Callable[[Sequence[Message]], str]] = {"mark": answer_as_mark}
"""Roles that can be played by a rule, for trying things out: `scripted:mark`."""
_encoder = msgspec.json.Encoder()


def read_role_options(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Role to its panel's addresses, as `ROLE=ADDRESS` options name them. Raises UsageError for another form."""
    panels: dict[str, tuple[str, ...]] = {}
    for value in values:
        role, sign, address = value.partition("=")
        if not sign or not role.isidentifier() or not address:
            raise UsageError(f"{value!r} is not of the form ROLE=ADDRESS", where="--role")
        if SEPARATOR in address:
            raise UsageError(f"an address of a role may not hold {SEPARATOR!r}", where=f"--role {role}")
        panels[role] = (*panels.get(role, ()), address)
        if len(panels[role]) > MAX_PANEL:
            raise UsageError(f"a panel has {MAX_PANEL} models at most", where=f"--role {role}")
    return panels


def open_panels(
    panels: Mapping[str, Sequence[str]], *, key_env: str | None = None, timeout_s: float = 120.0
) -> dict[str, list[Model]]:
    """The models of each role, not yet opened with `async with`. Raises as `models.address.open_model`."""
    return {
        role: [_open(address, key_env, timeout_s) for address in addresses]
        for role, addresses in panels.items()
    }


def _open(address: str, key_env: str | None, timeout_s: float) -> Model:
    if address.startswith(SCRIPTED):
        return ScriptedPlayer(address)
    name, base_url = split_address(address)
    return open_model(name, base_url=base_url, key_env=key_env if base_url else None, timeout_s=timeout_s)


def split_address(address: str) -> tuple[str, str | None]:
    """The model's own address, and its base URL where one follows."""
    name, sign, rest = address.partition(AT)
    return name, AT[1:] + rest if sign else None


def wire_name(address: str) -> str:
    """The address by which a role's requests are read again."""
    return split_address(address)[0]


def rule_of(address: str) -> Callable[[Sequence[Message]], str] | None:
    """The rule that plays at an address; None where a model does."""
    return RULES.get(address.removeprefix(SCRIPTED)) if address.startswith(SCRIPTED) else None


class ScriptedPlayer:
    """A role that is played by a rule (`scripted:mark`), named as such wherever it takes part.

    Raises UsageError for a role that no rule plays.
    """

    identity: Identity = "simulated"
    fixed_outcomes = True
    weights: str | None = None
    base_url: str | None = None
    max_concurrency: int | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, address: str) -> None:
        rule = rule_of(address)
        if rule is None:
            known = ", ".join(SCRIPTED + name for name in RULES)
            raise UsageError("no rule plays this role", where=address, hint=f"a model's address, or {known}")
        self.address = self.provider_model = address
        self._rule = rule

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def ask(self, request: ModelRequest) -> Exchange:
        """Say what the rule says."""
        watch = Stopwatch()
        output = self._rule(request.messages)
        return Exchange(
            request=_encoder.encode(PlainRequest(self.address, request.messages, request.params)),
            status=200,
            response=_encoder.encode(PlainResponse(output, self.address)),
            output=output,
            finish="stop",
            served_model=self.address,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )
