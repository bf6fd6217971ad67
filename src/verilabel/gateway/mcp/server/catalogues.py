"""Answers about what comes with the program: its suites, without their prompts, and its rubrics."""

from __future__ import annotations

import asyncio
import difflib
import functools
from typing import Any

import msgspec

from verilabel.errors import UsageError
from verilabel.gateway.mcp.server.arguments import ExplainRubric, NoArguments, ShowSuite
from verilabel.gateway.mcp.server.labels import Answer
from verilabel.gateway.mcp.server.library import Library
from verilabel.rubric.explain import explain_rubric
from verilabel.rubric.model import bundled_rubrics
from verilabel.rubric.structure import Rubric
from verilabel.suites.generated import generated_ids
from verilabel.suites.loading import SuiteFile, availability_of, bundled_ids, read_suite_file

ANY_SEED = "any"
"""Generated suites are described without their samples, which alone depend on the seed."""


async def list_suites(library: Library, asked: NoArguments) -> Answer:
    """Every bundled suite: name, title, licence, and whether its data is on this machine or generated."""
    del library, asked
    known = [*bundled_ids(), *generated_ids()]
    suites = await asyncio.to_thread(lambda: [_outline(_read_file(name)) for name in known])
    return Answer(
        {"suites": suites},
        "\n".join(f"{suite['suite']}: {suite['title']} ({suite['data']})" for suite in suites),
    )


async def show_suite(library: Library, asked: ShowSuite) -> Answer:
    """What one bundled suite is, without any of its samples."""
    del library
    return await asyncio.to_thread(_show_suite, asked.suite)


async def list_rubrics(library: Library, asked: NoArguments) -> Answer:
    """Every bundled rubric: name, kind, levels, digest."""
    del library, asked
    rubrics = [_rubric_outline(rubric) for rubric in await asyncio.to_thread(read_rubrics)]
    return Answer({"rubrics": rubrics}, "\n".join(f"{one['rubric']}: {one['title']}" for one in rubrics))


async def explain(library: Library, asked: ExplainRubric) -> Answer:
    """What each level of a bundled rubric takes, in words."""
    del library
    explanation = explain_rubric(await asyncio.to_thread(find_bundled, asked.rubric))
    return Answer(msgspec.to_builtins(explanation), "\n".join(explanation.lines()))


@functools.cache
def read_rubrics() -> tuple[Rubric, ...]:
    """The rubrics that come with the program, read once."""
    return bundled_rubrics()


def find_bundled(reference: str) -> Rubric:
    """The bundled rubric of an id, with or without its version; never a file. Raises UsageError."""
    name, _, version = reference.partition("@")
    rubrics = read_rubrics()
    for rubric in rubrics:
        if name in (rubric.id, rubric.id.removeprefix("verilabel/")) and version in ("", rubric.version):
            return rubric
    raise UsageError(
        "no such bundled rubric", where="rubric", hint=_nearest(name, [rubric.id for rubric in rubrics])
    )


def _show_suite(reference: str) -> Answer:
    # a name is looked up in the list and is never a path
    name, _, version = reference.partition("@")
    known = [*bundled_ids(), *generated_ids()]
    if name not in known:
        raise UsageError("no such bundled suite", where="suite", hint=_nearest(name, known))
    file = _read_file(name, version)
    manifest = file.manifest
    pinned = {
        "digest": file.digest,
        "data_sha256": manifest.data.sha256,
    }
    document = _outline(file) | {
        "summary": manifest.summary,
        "language": manifest.language,
        "citation": manifest.source.citation,
        "uri": manifest.source.uri,
        # of a generated suite every run has its own, as every run has its own seed
        **({} if manifest.data.format == "generated" else pinned),
        "detectors": list(manifest.detectors),
        "strata": manifest.strata,
        "visibility": manifest.visibility,
    }
    return Answer(document, f"{manifest.name}: {manifest.title}. {manifest.summary}".strip())


def _read_file(name: str, version: str = "") -> SuiteFile:
    """A suite's file by an id that is in one of the lists, never a path; of a generated one, for a single sample."""
    options = ":count=1" if name in generated_ids() else ""
    return read_suite_file(f"{name}@{version}{options}" if version else f"{name}{options}", run_seed=ANY_SEED)


def _outline(file: SuiteFile) -> dict[str, Any]:
    return {
        "suite": file.name,
        "title": file.manifest.title,
        "license": file.manifest.license,
        "data": availability_of(file),
    }


def _rubric_outline(rubric: Rubric) -> dict[str, Any]:
    return {
        "rubric": rubric.name,
        "title": rubric.title,
        "kind": rubric.scale.kind,
        "levels": [{"id": level.id, "name": level.name} for level in rubric.scale.levels],
        "suites": sorted({measure.suite for measure in rubric.measures.values()}),
        "sha256": rubric.sha256,
    }


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
