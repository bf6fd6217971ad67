"""What a bundle's own suite files say against what its plan and its indexes say of the suites.

The data is not enclosed, so an index cannot be derived here (`verify --rescore` does it where the data is at hand).
The suite file is enclosed, and signed: a name, a language, weights, families or tags that it does not have are an
invention of the plan or of the index, and change what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput, SealError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import MAX_SUITE_FILE_BYTES, MAX_SUITE_FILES_BYTES, PLAN, SUITES, suite_files
from verilabel.evidence.reading import read_document
from verilabel.records.plan import Plan, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.strict_yaml import load_strict_yaml


class SuiteFacts(NamedTuple):
    """What a suite file says that decides what is counted; the rest of it is for whoever has the data."""

    name: str
    language: str
    strata: dict[str, str]
    """Stratum to weight, as text."""
    has_families: bool
    has_strata: bool
    tags: frozenset[str]

    def find_invented(self, entry: SampleEntry) -> str | None:
        """What an index entry says that no rule of the suite reads from its data; None where there is nothing."""
        if entry.family and not self.has_families:
            return "a family"
        if entry.stratum and not self.has_strata:
            return "a stratum"
        if not entry.tags:
            return None
        return next((f"a tag {tag[:60]!r}" for tag in entry.tags if tag not in self.tags), None)


def read_suite_files(container: Container, plan: Plan) -> dict[str, SuiteFacts]:
    """The facts of every stream's suite file, by the stream's suite, once the plan is found to say nothing else.

    Raises MalformedInput where one is no suite file, SealError where the plan gives a suite another name, other
    weights, or a measure on it another language.
    """
    files = {stream.suite: suite_files(stream.suite)[0] for stream in plan.streams}
    if sum(container.sizes.get(path, 0) for path in files.values()) > MAX_SUITE_FILES_BYTES:
        raise LimitExceeded(f"suite files of more than {MAX_SUITE_FILES_BYTES} bytes together", where=SUITES)
    suites = {}
    for number, stream in enumerate(plan.streams):
        path = files[stream.suite]
        document = load_strict_yaml(
            read_document(container, path), where=path, max_bytes=MAX_SUITE_FILE_BYTES
        )
        suites[stream.suite] = suite = _read_facts(document, path)
        where = f"{PLAN} $.streams[{number}]"
        if suite.name != stream.suite:
            raise SealError(f"the plan calls {suite.name} {stream.suite}", where=where)
        if suite.strata != stream.strata:
            raise SealError(
                f"the plan weighs the strata of {stream.suite} otherwise than it does", where=where
            )
    for number, measure in enumerate(plan.measures):
        spoken = suites[measure.suite].language
        if measure.language != spoken:
            raise SealError(
                f"{measure.id}: {measure.suite} is in {spoken!r}, not in {measure.language!r}",
                where=f"{PLAN} $.measures[{number}].language",
            )
    return suites


def _read_facts(document: Any, where: str) -> SuiteFacts:
    root = _mapping(document, f"{where} $")
    fields = _mapping(root.get("fields"), f"{where} $.fields")
    strata = _mapping(root.get("strata", {}), f"{where} $.strata")
    return SuiteFacts(
        name=f"{root.get('id')}@{root.get('version')}",
        language=str(root.get("language", "en")),
        strata={name: str(weight) for name, weight in strata.items()},
        has_families=fields.get("family") is not None,
        has_strata=fields.get("stratum") is not None,
        tags=frozenset(_mapping(fields.get("tags", {}), f"{where} $.fields.tags")),
    )


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedInput("not a suite file: keys and values are missing here", where=where)
    return value


def check_index(stream: StreamPlan, entries: Sequence[SampleEntry], suite: SuiteFacts) -> None:
    """Check a suite's index against its stream, and that it states only facts that the suite reads from its data.

    Raises SealError where it has another number of samples than was planned, or an entry with a family, a stratum or
    a tag that no rule of the suite gives; MalformedInput for a stratum without a weight.
    """
    _, path = suite_files(stream.suite)
    if len(entries) != stream.samples:
        raise SealError(f"the index of {stream.suite} does not have the planned samples", where=path)
    check_strata(stream, entries)
    for number, entry in enumerate(entries, 1):
        if (invented := suite.find_invented(entry)) is not None:
            raise SealError(
                f"sample {entry.id[:60]!r} has {invented}, which its suite does not read",
                where=f"{path}:{number}",
            )


def check_strata(stream: StreamPlan, entries: Sequence[SampleEntry]) -> None:
    """Check that every entry's stratum has a weight. Raises MalformedInput naming the first that has none."""
    if not stream.strata:
        return
    _, path = suite_files(stream.suite)
    for entry in entries:
        if entry.stratum not in stream.strata:
            raise MalformedInput(f"sample {entry.id!r} is of a stratum without a weight", where=path)
