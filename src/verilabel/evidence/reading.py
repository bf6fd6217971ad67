"""Reading a bundle's documents without judging them: what `show` prints and what the verifier then checks.

Nothing read here is trusted before `verifier` has passed its steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence.container import Container
from verilabel.evidence.counting import parse_index
from verilabel.evidence.layout import (
    EVIDENCE,
    LABEL,
    MAX_DOCUMENT_BYTES,
    MAX_JSON_BYTES,
    MAX_LINE_BYTES,
    MEASURES,
    PLAN,
    SYSTEM,
    suite_files,
)
from verilabel.evidence.lines import EvidenceLine, decode_evidence
from verilabel.records.canonical import parse_json
from verilabel.records.label import Label, parse_label
from verilabel.records.plan import Plan
from verilabel.records.sample import SampleEntry
from verilabel.records.system import SystemDescriptor

T = TypeVar("T")
BLOCK_BYTES = 1 << 20


def read_document(container: Container, path: str) -> bytes:
    """A small file of a bundle. Raises MalformedInput where it is missing, LimitExceeded where it is large."""
    if path not in container.sizes:
        raise MalformedInput("the file is missing", where=path)
    if container.sizes[path] > MAX_DOCUMENT_BYTES:
        raise LimitExceeded(f"over {MAX_DOCUMENT_BYTES} bytes", where=path)
    with container.open(path) as file:
        return file.read(MAX_DOCUMENT_BYTES + 1)


def _json(container: Container, path: str) -> Any:
    return parse_json(read_document(container, path), where=path, max_bytes=MAX_JSON_BYTES)


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


def line_blocks(container: Container, path: str) -> Iterator[bytes]:
    """A records file in blocks of whole lines.

    Raises LimitExceeded for a line over the limit or a last line that is cut short.
    """
    number, rest = 1, b""
    with container.open(path) as file:
        while data := file.read(BLOCK_BYTES):
            end = data.rfind(b"\n") + 1
            if not end:
                rest += data
                if len(rest) > MAX_LINE_BYTES:
                    raise LimitExceeded("a line over the limit", where=f"{path}:{number}")
                continue
            block = rest + data[:end]
            rest = data[end:]
            yield block
            number += block.count(b"\n")
    if rest:
        raise LimitExceeded("the last line is cut short", where=f"{path}:{number}")


def raw_lines(container: Container, path: str) -> Iterator[bytes]:
    """The lines of a records file, without their newlines. Raises as `line_blocks`."""
    for block in line_blocks(container, path):
        yield from block.split(b"\n")[:-1]


def evidence_blocks(container: Container) -> Iterator[tuple[bytes, list[EvidenceLine]]]:
    """The evidence in its committed order, block by block: the exact bytes, and the records of their lines."""
    number = 1
    for block in line_blocks(container, EVIDENCE):
        records = decode_evidence(block, EVIDENCE, number)
        yield block, records
        number += len(records)


def evidence_lines(container: Container) -> Iterator[EvidenceLine]:
    """The evidence records of a bundle in their committed order."""
    return chain.from_iterable(records for _, records in evidence_blocks(container))


def _require_canonical(container: Container, path: str, canonical: bytes) -> None:
    if read_document(container, path) != canonical:
        raise MalformedInput("not in canonical form", where=path)
