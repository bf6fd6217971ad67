"""What a bundle's own suite files say against what its plan and its indexes say of the suites.

The data is not enclosed, so an index cannot be derived here (`verify --rescore` does it where the data is at hand).
The suite file is enclosed, and signed: a name, a language, weights, families or tags that it does not have are an
invention of the plan or of the index, and change what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.errors import LimitExceeded, MalformedInput, SealError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import MAX_SUITE_FILE_BYTES, MAX_SUITE_FILES_BYTES, PLAN, SUITES, suite_files
from verilabel.evidence.reading import read_document
from verilabel.records.plan import Plan, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.suites.format import FieldMap, Manifest, parse_manifest


def read_suite_files(container: Container, plan: Plan) -> dict[str, Manifest]:
    """The suite file of every stream, by the stream's suite; checks that the plan says nothing else of the suites.

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
        suites[stream.suite] = manifest = parse_manifest(document, where=path)
        where = f"{PLAN} $.streams[{number}]"
        if manifest.name != stream.suite:
            raise SealError(f"the plan calls {manifest.name} {stream.suite}", where=where)
        if manifest.strata != stream.strata:
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


def check_index(stream: StreamPlan, entries: Sequence[SampleEntry], fields: FieldMap) -> None:
    """Check a suite's index against its stream, and that it states only facts that the suite reads from its data.

    Raises SealError where it has another number of samples than was planned, or an entry with a family, a stratum or
    a tag that no rule of the suite gives; MalformedInput for a stratum without a weight.
    """
    _, path = suite_files(stream.suite)
    if len(entries) != stream.samples:
        raise SealError(f"the index of {stream.suite} does not have the planned samples", where=path)
    check_strata(stream, entries)
    for number, entry in enumerate(entries, 1):
        if (invented := _find_invented(entry, fields)) is not None:
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


def _find_invented(entry: SampleEntry, fields: FieldMap) -> str | None:
    if entry.family and fields.family is None:
        return "a family"
    if entry.stratum and fields.stratum is None:
        return "a stratum"
    return next((f"a tag {tag[:60]!r}" for tag in entry.tags if tag not in fields.tags), None)
