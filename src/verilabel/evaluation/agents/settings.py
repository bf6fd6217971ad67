"""The agent's settings among a system's parameters: they bind like any other, and are never sent to a model.

A label is of a system, and the scaffold around the model is a part of it: `agent.name`, `agent.version`,
`agent.max_steps`, `agent.max_calls`, and `agent.role.NAME` for the other models that take part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verilabel.errors import UsageError
from verilabel.records.episode import AgentSettings
from verilabel.records.system import Scalar

PREFIX = "agent."
ROLE_PREFIX = "agent.role."
LOCAL_SANDBOX = "agent.inspect_sandbox"
"""Set to `UNCONTAINED` where tasks of Inspect run programs with the rights of whoever runs Inspect."""
UNCONTAINED = "local (C0)"
MAX_STEPS = 1_000
MAX_CALLS = 10_000
SEPARATOR = " | "
"""Between the addresses of a role that a panel of models plays."""


def agent_params(settings: AgentSettings) -> dict[str, Scalar]:
    """The parameters that say how the tool loop works."""
    return {
        "agent.name": settings.name,
        "agent.version": settings.version,
        "agent.max_steps": settings.max_steps,
        "agent.max_calls": settings.max_calls,
    }


def role_params(panels: Mapping[str, Sequence[str]]) -> dict[str, Scalar]:
    """The parameters that say which other models take part."""
    return {ROLE_PREFIX + role: SEPARATOR.join(panel) for role, panel in sorted(panels.items())}


def model_params(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The parameters that are sent to the model."""
    return {key: value for key, value in params.items() if not key.startswith(PREFIX)}


def read_settings(params: Mapping[str, Scalar]) -> AgentSettings:
    """The agent's settings among parameters; defaults where they are not set.

    Raises UsageError for an unknown setting, one out of its range, and another agent than this program's.
    """
    known = AgentSettings()
    given = {key.removeprefix(PREFIX): value for key, value in params.items() if key.startswith(PREFIX)}
    limits = {"max_steps": MAX_STEPS, "max_calls": MAX_CALLS}
    for key, value in given.items():
        where = f"$.params.{PREFIX}{key}"
        if key.startswith("role.") or (PREFIX + key, value) == (LOCAL_SANDBOX, UNCONTAINED):
            continue
        if key in ("name", "version"):
            if value != getattr(known, key):
                raise UsageError(
                    f"this program has the agent {known.name} {known.version}",
                    where=where,
                    hint=f"not {value}",
                )
        elif key not in limits:
            raise UsageError(
                f"the agent has no setting {key!r}", where=where, hint="max_steps=N, max_calls=N"
            )
        elif not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limits[key]:
            raise UsageError(f"{key} is a whole number from 1 to {limits[key]}", where=where)
    numbers = {key: value for key, value in given.items() if key in limits}
    return AgentSettings(**numbers)  # type: ignore[arg-type]


def read_roles(params: Mapping[str, Scalar]) -> dict[str, tuple[str, ...]]:
    """The panel of each role among parameters: the addresses of its models."""
    found = {}
    for key, value in params.items():
        if key.startswith(ROLE_PREFIX) and isinstance(value, str):
            found[key.removeprefix(ROLE_PREFIX)] = tuple(value.split(SEPARATOR))
    return found
