"""The tools that are offered: for each its name, what it says of itself, its arguments and what carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from verilabel.gateway.mcp.server import catalogues, labels
from verilabel.gateway.mcp.server.arguments import (
    CheckAdmission,
    ExplainRow,
    ExplainRubric,
    FileIncident,
    FindLabel,
    NoArguments,
    ShowSuite,
    VerifyBundle,
    schema_of,
)
from verilabel.gateway.mcp.server.labels import Answer
from verilabel.gateway.mcp.server.library import Library

FILE_INCIDENT = "file_incident"


class ReadingTool(NamedTuple):
    """A tool that changes nothing."""

    name: str
    title: str
    description: str
    arguments: type[Any]
    carry_out: Callable[[Library, Any], Awaitable[Answer]]
    answers: tuple[str, ...]
    """Keys that its document always has."""


READING_TOOLS: tuple[ReadingTool, ...] = (
    ReadingTool(
        "find_label",
        "Find labels",
        "Safety labels of an AI system or model among the served bundles: what is granted or established, what "
        "cannot be excluded or is not ruled out, how it verifies, its age, validity and flags.",
        FindLabel,
        labels.find_label,
        ("asked", "labels", "without_label"),
    ),
    ReadingTool(
        "verify_bundle",
        "Verify a bundle",
        "Check a bundle step by step and derive its label again from its evidence.",
        VerifyBundle,
        labels.verify,
        ("bundle", "genuine", "level", "reason", "sentence", "flags", "steps"),
    ),
    ReadingTool(
        "explain_row",
        "Explain rows of a label",
        "Why a level of a label stands as it does: each row's counts, bounds, threshold and outcome.",
        ExplainRow,
        labels.explain,
        ("bundle", "label", "rubric", "levels"),
    ),
    ReadingTool(
        "check_admission",
        "Check an admission",
        "Whether a verified label of a system meets requirements (level, verification, age, rubric, flags), with every "
        "reason why not.",
        CheckAdmission,
        labels.check_admission,
        ("asked", "admitted", "by", "checked", "reasons"),
    ),
    ReadingTool(
        "list_suites",
        "List suites",
        "The evaluation suites that come with the program.",
        NoArguments,
        catalogues.list_suites,
        ("suites",),
    ),
    ReadingTool(
        "show_suite",
        "Show a suite",
        "What an evaluation suite measures, its source, licence and digests; none of its prompts.",
        ShowSuite,
        catalogues.show_suite,
        ("suite", "title", "license", "detectors"),
    ),
    ReadingTool(
        "list_rubrics",
        "List rubrics",
        "The rubrics that come with the program: scales, levels and suites.",
        NoArguments,
        catalogues.list_rubrics,
        ("rubrics",),
    ),
    ReadingTool(
        "explain_rubric",
        "Explain a rubric",
        "What each level of a rubric takes, in words, and the fewest answers that can show it.",
        ExplainRubric,
        catalogues.explain,
        ("id", "version", "sha256", "levels"),
    ),
)
BY_NAME = {tool.name: tool for tool in READING_TOOLS}


def describe_tools(may_write: bool) -> list[dict[str, Any]]:
    """The definitions of the tools that a client is shown, in the protocol's own words."""
    offered = [
        {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "inputSchema": schema_of(tool.arguments),
            "outputSchema": _schema_of_answer(tool.answers),
            "annotations": {
                "readOnlyHint": True,
                "destructiveHint": False,
                "idempotentHint": True,
                "openWorldHint": False,
            },
        }
        for tool in READING_TOOLS
    ]
    if may_write:
        offered.append(
            {
                "name": FILE_INCIDENT,
                "title": "File an incident",
                "description": "Keep a record of an incident with an AI system, for the people who run this server.",
                "inputSchema": schema_of(FileIncident),
                "outputSchema": _schema_of_answer(("id", "sha256", "signed", "filed")),
                "annotations": {
                    "readOnlyHint": False,
                    "destructiveHint": False,
                    "idempotentHint": False,
                    "openWorldHint": False,
                },
            }
        )
    return offered


def _schema_of_answer(keys: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "object", "properties": {key: {} for key in keys}, "required": list(keys)}
