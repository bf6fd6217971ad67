"""Reading a bundle's documents without judging them: what `show` prints and what the verifier then checks.

Nothing read here is trusted before `verifier` has passed its steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence.container import Container
from verilabel.evidence.counting import parse_index
from verilabel.evidence.layout import (
    EVIDENCE,
    LABEL,
    MAX_DOCUMENT_BYTES,
    MAX_LINE_BYTES,
    MEASURES,
    PLAN,
    SYSTEM,
    suite_files,
)
from verilabel.evidence.lines import EvidenceLine, decode_line
from verilabel.records.attempt import Observation
from verilabel.records.canonical import parse_json
from verilabel.records.label import Label, parse_label
from verilabel.records.plan import Plan
from verilabel.records.sample import SampleEntry
from verilabel.records.system import SystemDescriptor

T = TypeVar("T")


def read_document(container: Container, path: str) -> bytes:
    """A small file of a bundle. Raises MalformedInput where it is missing, LimitExceeded where it is large."""
    if path not in container.sizes:
        raise MalformedInput("the file is missing", where=path)
    if container.sizes[path] > MAX_DOCUMENT_BYTES:
        raise LimitExceeded(f"over {MAX_DOCUMENT_BYTES} bytes", where=path)
    with container.open(path) as file:
        return file.read(MAX_DOCUMENT_BYTES + 1)


def _json(container: Container, path: str) -> Any:
    return parse_json(read_document(container, path), where=path, max_bytes=MAX_DOCUMENT_BYTES)


def _convert(document: Any, kind: type[T], path: str) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=path) from error


def read_system(container: Container) -> SystemDescriptor:
    """The descriptor of the system under test."""
    system = _convert(_json(container, SYSTEM), SystemDescriptor, SYSTEM)
    _require_canonical(container, SYSTEM, system.bytes())
    return system


def read_plan(container: Container) -> Plan:
    """The plan."""
    plan = _convert(_json(container, PLAN), Plan, PLAN)
    _require_canonical(container, PLAN, plan.bytes())
    return plan


def read_label(container: Container) -> Label:
    """The label as the issuer wrote it."""
    label = parse_label(_json(container, LABEL))
    _require_canonical(container, LABEL, label.bytes())
    return label


def read_measures(container: Container) -> dict[str, Any]:
    """The issuer's counts (`results/measures.json`)."""
    document = _json(container, MEASURES)
    if not isinstance(document, dict):
        raise MalformedInput("not an object", where=MEASURES)
    return document


def read_indexes(container: Container, plan: Plan) -> dict[str, list[SampleEntry]]:
    """The sample index of every suite of the plan."""
    indexes = {}
    for stream in plan.streams:
        _, path = suite_files(stream.suite)
        indexes[stream.suite] = parse_index(read_document(container, path), path)
    return indexes


def raw_lines(container: Container, path: str) -> Iterator[bytes]:
    """The lines of a records file, without their newlines. Raises for a line over the limit or cut short."""
    with container.open(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 2), b""), 1):
            if not line.endswith(b"\n"):
                what = "a line over the limit" if len(line) > MAX_LINE_BYTES else "the last line is cut short"
                raise LimitExceeded(what, where=f"{path}:{number}")
            yield line[:-1]


def evidence_lines(container: Container) -> Iterator[EvidenceLine]:
    """The evidence records of a bundle in their committed order."""
    for number, line in enumerate(raw_lines(container, EVIDENCE), 1):
        record = decode_line(line, f"{EVIDENCE}:{number}")
        if isinstance(record, Observation):
            raise MalformedInput("an observation among the evidence", where=f"{EVIDENCE}:{number}")
        yield record


def _require_canonical(container: Container, path: str, canonical: bytes) -> None:
    if read_document(container, path) != canonical:
        raise MalformedInput("not in canonical form", where=path)
