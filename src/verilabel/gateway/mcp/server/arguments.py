"""The arguments of each tool: one definition, from which both the schema that clients see and the check are made."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from verilabel.errors import MalformedInput
from verilabel.gateway.mcp.server.harmless_text import show_plainly

Name = Annotated[str, Meta(min_length=1, max_length=300)]
Level = Annotated[str, Meta(min_length=1, max_length=40)]
Severity = Literal["low", "moderate", "high", "critical"]
T = TypeVar("T")


class FindLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `find_label`."""

    name: Annotated[Name, Meta(description="name of the system, name of its model, or its digest")]


class VerifyBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `verify_bundle`."""

    bundle: Annotated[
        Name, Meta(description="name of a bundle, as find_label and the list of resources give it")
    ]


class ExplainRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `explain_row`."""

    bundle: Annotated[Name, Meta(description="name of a bundle")]
    level: Annotated[
        Level | None, Meta(description="a level of the scale, such as L2; all levels where absent")
    ] = None
    row: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="number of a row in its level, from 1; all rows where absent"),
    ] = None


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of tools that take none."""


class ShowSuite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `show_suite`."""

    suite: Annotated[Name, Meta(description="id of a bundled suite, such as core/bias")]


class ExplainRubric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `explain_rubric`."""

    rubric: Annotated[Name, Meta(description="id of a bundled rubric, such as verilabel/core")]


class CheckAdmission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `check_admission`: what is asked of a label, as in the gateway's admission rows."""

    name: Annotated[
        Name, Meta(description="name of the system, name of its model, its digest, or name of a bundle")
    ]
    granted: Annotated[Level | None, Meta(description="assurance scales: the level that must be granted")] = (
        None
    )
    ruled_out: Annotated[
        Level | None, Meta(description="hazard scales: the level that must be ruled out")
    ] = None
    verification: Annotated[
        Literal["V1", "V2s", "V2", "V3", "V4"], Meta(description="verification level at least")
    ] = "V2"
    max_age_days: Annotated[
        Annotated[int, Meta(ge=0, le=36500)] | None, Meta(description="age of the label's plan at most")
    ] = None
    rubric: Annotated[Name | None, Meta(description="the rubric the label must be by")] = None
    flags_forbidden: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=80)], ...],
        Meta(max_length=40, description="flags that verification may not raise, such as disputed"),
    ] = ()


class FileIncident(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Arguments of `file_incident`."""

    title: Annotated[str, Meta(min_length=1, max_length=200, description="what happened, in a line")]
    description: Annotated[
        str, Meta(min_length=1, max_length=8000, description="what happened, and what it led to")
    ]
    severity: Severity
    system: Annotated[Name | None, Meta(description="name of the system or its model")] = None
    bundle: Annotated[Name | None, Meta(description="name of the bundle whose label is concerned")] = None
    occurred: Annotated[
        Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")] | None,
        Meta(description="when, in UTC, such as 2026-03-01T12:00:00Z"),
    ] = None


def read_arguments(arguments: dict[str, Any], kind: type[T]) -> T:
    """The arguments of a tool. Raises MalformedInput where they are not what its schema says."""
    try:
        return msgspec.convert(arguments, kind, strict=True)
    except msgspec.ValidationError as error:
        says = show_plainly(str(error))
        raise MalformedInput(f"not the tool's arguments: {says}", where="arguments") from None


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: an object, without references."""
    _, components = msgspec.json.schema_components([kind])
    schema: dict[str, Any] = {"type": "object", "properties": {}, **components[kind.__name__]}
    return {name: value for name, value in schema.items() if name not in ("title", "description")}
