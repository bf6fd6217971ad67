"""From an open bundle to a sealed one: the same plan, counts and label, with commitments in the place of answers.

1. verify the open bundle; it must be whole, in force, and signed with the key that seals it again
2. copy its documents; withhold the attempts that are chosen, under salts that nobody else knows
3. count the sealed evidence again from the file: it must give the counts and the label that it gave in the open
4. write the manifest; sign the statement and log it, in the log that the plan stands in
5. put the openings file in its place, then the bundle

The openings come first, because a bundle whose openings are lost can answer no challenge.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from verilabel.errors import SealError, UsageError
from verilabel.evidence.container import Container, Folder, open_container
from verilabel.evidence.counting import Recount, StreamCounter, matches, open_recount, recount
from verilabel.evidence.layout import (
    EVIDENCE,
    LABEL,
    LOG_KEY,
    MANIFEST,
    MEASURES,
    OBSERVATIONS,
    PLAN_PROOF,
    RUBRIC,
    SURPLUS,
    is_unlisted,
    suite_files,
)
from verilabel.evidence.lines import BundleLine, decode_lines, encode_line
from verilabel.evidence.manifest import Manifest, make_manifest
from verilabel.evidence.merkle import Frontier, leaf_hash
from verilabel.evidence.ordering import Root
from verilabel.evidence.reading import evidence_lines, line_blocks, read_document, read_indexes, read_plan
from verilabel.evidence.results import measures_bytes
from verilabel.evidence.sealed.opening import SALT_BYTES, OpeningsFile, write_openings
from verilabel.evidence.sealing import (
    PlanEntry,
    Sealing,
    check_place,
    move_into_place,
    names_given,
    sign_folder,
    work_folder,
    write_part,
)
from verilabel.evidence.statement import parse_time
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.attempt import Attempt, Observation
from verilabel.records.plan import Plan
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.withheld import (
    OPEN_ANSWERS,
    SealedAttempt,
    withhold_attempt,
    withhold_finding,
    withhold_observation,
)
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric
from verilabel.suites.format import parse_manifest

Key = tuple[str, str, int]
DrawSalt = Callable[[], bytes]
_BATCH = 1 << 20


def draw_salt() -> bytes:
    """32 bytes from the system's source of secrets."""
    return secrets.token_bytes(SALT_BYTES)


@dataclass(frozen=True)
class Choice:
    """Which answers to withhold beside those of suites that call themselves sealed; each part adds to the others."""

    suites: tuple[str, ...] = ()
    """Suites by `id` or `id@version`, of which all answers are withheld."""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Tag to values: answers to samples that have one of the values of every tag, in any suite."""
    everything: bool = False


@dataclass(frozen=True)
class Withheld:
    """A finished sealed bundle, and what it withholds."""

    path: Path
    openings: Path
    root: str
    manifest: str
    answers: dict[str, int]
    """Suite to its answers that are withheld, for every suite of the plan."""
    records: int
    """Commitments in the evidence."""
    surplus: int
    """Commitments in the surplus."""
    left_open: dict[str, tuple[str, ...]]
    """Suite to those of its first samples that the choice meant and that stay open."""
    left_behind: tuple[str, ...]
    """Files about the open bundle's own statement, such as what others signed about it; they do not fit the new one."""


def withhold_records(
    source: Path,
    out: Path,
    openings: Path,
    choice: Choice,
    sealing: Sealing,
    *,
    force: bool = False,
    draw: DrawSalt = draw_salt,
) -> Withheld:
    """Make a sealed bundle at `out` from the open one at `source`, and its openings file; see the module.

    Raises UsageError where a place is taken, nothing would be withheld, or another key or log than the bundle's own is
    given; what its verification found where the open bundle does not hold. On any failure nothing stays behind.
    """
    check_place(out, force=force)
    _check_apart(openings, out, source)
    found = verify_bundle(source, now=sealing.now)  # step 1
    if found.failure is not None:
        raise found.failure
    with open_container(source) as container, write_openings(openings) as file:
        _check_issuer(container, found, sealing)
        selection = _select(container, choice)
        with work_folder(out, secrets.token_hex(6)) as work:
            writer = _Writer(container, work, selection, file, draw)
            root = writer.write()  # step 2
            counted = _count_again(container, work, sealing.now)  # step 3
            manifest = _write_manifest(work, writer)  # step 4
            until = parse_time(found.valid_until, where=str(source)) if found.valid_until else None
            sign_folder(work, root, manifest, sealing, _plan_entry(container), until=until)
            left_behind = tuple(
                path for path in container.sizes if is_unlisted(path) and not (work / path).exists()
            )
            file.put_in_place()  # step 5
            try:
                move_into_place(work, out)
            except BaseException:
                openings.unlink(missing_ok=True)  # it opens a bundle that does not exist
                raise
        return Withheld(
            path=out,
            openings=openings,
            root="sha256:" + root.root.hex(),
            manifest=manifest.digest,
            answers=writer.answers,
            records=len(counted.commitments),
            surplus=writer.commitments[SURPLUS],
            left_open=selection.left_open(),
            left_behind=left_behind,
        )


def _check_apart(openings: Path, out: Path, source: Path) -> None:
    for bundle in (out, source):
        if openings.resolve().is_relative_to(bundle.resolve()):
            raise UsageError(
                "openings in a bundle would open it to everybody",
                where=str(openings),
                hint="another --openings",
            )


def _check_issuer(container: Container, found: Verification, sealing: Sealing) -> None:
    own = sealing.key.public.keyid if sealing.key is not None else None
    if found.keyid != own and sealing.key is not None:
        raise UsageError(
            f"the bundle was signed with another key: {found.keyid or 'none'}",
            hint="only its issuer can seal a bundle: --key NAME; or --unsigned for V0",
        )
    if "sealed_records" in found.flags:
        raise UsageError("the bundle is sealed already", hint="seal the open bundle that it was made from")
    logged = read_document(container, LOG_KEY) if LOG_KEY in container.sizes else None
    if sealing.log is not None and logged not in (None, sealing.log.public_key.file_bytes()):
        raise UsageError("the plan was logged in another log", hint="name the log of the bundle: --log DIR")


def _plan_entry(container: Container) -> PlanEntry | None:
    if PLAN_PROOF not in container.sizes:
        return None
    return PlanEntry(read_document(container, PLAN_PROOF), read_document(container, LOG_KEY))


# -- choosing --------------------------------------------------------------------------------------------------


class _Selection:
    """Which answers are withheld: those that are meant, without the first ones of each suite."""

    def __init__(
        self, streams: Sequence[StreamCounter], whole: frozenset[str], where: Mapping[str, tuple[str, ...]]
    ):
        self._streams = {stream.stream.suite: stream for stream in streams}
        self._whole = whole
        self._where = where
        self._open = {
            (name, *stream.at(position))
            for name, stream in self._streams.items()
            for position in range(min(OPEN_ANSWERS, stream.length))
        }

    def withholds(self, key: Key) -> bool:
        """True if the answer is withheld."""
        return key not in self._open and self._means(key[0], key[1])

    def _means(self, suite: str, sample: str) -> bool:
        if suite in self._whole or suite not in self._streams:
            return True
        entry = self._streams[suite].index.get(sample)
        return bool(self._where) and (entry is None or matches(entry, self._where))

    def left_open(self) -> dict[str, tuple[str, ...]]:
        """Suite to the samples that were meant and stay open."""
        kept: dict[str, dict[str, None]] = {}
        for suite, sample, _ in sorted(self._open):
            if self._means(suite, sample):
                kept.setdefault(suite, {})[sample] = None
        return {suite: tuple(samples) for suite, samples in kept.items()}


def _select(container: Container, choice: Choice) -> _Selection:
    plan = read_plan(container)
    names = {stream.suite for stream in plan.streams}
    whole = set(names) if choice.everything else _sealed_suites(container, plan)
    for wanted in choice.suites:
        meant = {name for name in names if wanted in (name, name.partition("@")[0])}
        if not meant:
            raise UsageError(f"the bundle has no suite {wanted!r}", hint=f"it has {', '.join(sorted(names))}")
        whole |= meant
    if not whole and not choice.where:
        raise UsageError(
            "no suite of this bundle calls itself sealed",
            hint="say what to withhold: --suite ID, --where, --all",
        )
    streams = open_recount(plan, read_indexes(container, plan)).streams
    return _Selection(streams, frozenset(whole), choice.where)


def _sealed_suites(container: Container, plan: Plan) -> set[str]:
    sealed = set()
    for stream in plan.streams:
        path, _ = suite_files(stream.suite)
        document = load_strict_yaml(read_document(container, path), where=path)
        if parse_manifest(document, where=path).visibility == "sealed":
            sealed.add(stream.suite)
    return sealed


# -- writing ---------------------------------------------------------------------------------------------------


class _Writer:
    """Writes the files of a sealed bundle from an open one's."""

    def __init__(
        self, container: Container, work: Path, selection: _Selection, openings: OpeningsFile, draw: DrawSalt
    ) -> None:
        self._container = container
        self._work = work
        self._selection = selection
        self._openings = openings
        self._draw = draw
        self.answers = {stream.suite: 0 for stream in read_plan(container).streams}
        self.commitments = {EVIDENCE: 0, SURPLUS: 0}

    def write(self) -> Root:
        """Copy the documents and write the records; the root over the evidence. Raises UsageError where nothing is
        withheld.
        """
        for path in self._container.sizes:
            if not is_unlisted(path) and path not in (EVIDENCE, SURPLUS, OBSERVATIONS):
                write_part(self._work / path, read_document(self._container, path))
        (self._work / EVIDENCE).parent.mkdir(parents=True, exist_ok=True)
        frontier = Frontier()
        last = None
        with (self._work / EVIDENCE).open("wb") as out:
            for record, line in self._lines(EVIDENCE):
                key = (record.suite, record.sample, record.epoch)
                if key != last:
                    self.answers[record.suite] += self._selection.withholds(key)
                last = key
                written = self._withhold(EVIDENCE, record, line)
                frontier.add(leaf_hash(written))
                out.write(written + b"\n")
        if not self.commitments[EVIDENCE]:
            raise UsageError(
                "nothing would be withheld",
                hint=f"the first {OPEN_ANSWERS} answers of each suite stay open; see --suite, --where, --all",
            )
        for path in (SURPLUS, OBSERVATIONS):
            with (self._work / path).open("wb") as out:
                for record, line in self._lines(path):
                    out.write(self._withhold(path, record, line) + b"\n")
        return Root(frontier.root(), frontier.size)

    def _lines(self, path: str) -> Iterator[tuple[BundleLine, bytes]]:
        number = 1
        for block in line_blocks(self._container, path):
            records = decode_lines(block, path, number)
            yield from zip(records, block.split(b"\n")[:-1], strict=True)
            number += len(records)

    def _withhold(self, path: str, record: BundleLine, line: bytes) -> bytes:
        if not self._selection.withholds((record.suite, record.sample, record.epoch)):
            return line
        match record:
            case Attempt():
                self.commitments[path] += 1
                return encode_line(withhold_attempt(record, self._openings.add(line, self._draw())))
            case Observation():
                return encode_line(withhold_observation(record))
            case SealedAttempt():
                raise SealError("a commitment in an open bundle", where=path)
        return encode_line(withhold_finding(record))


def _count_again(container: Container, work: Path, now: datetime) -> Recount:
    """The counts of the sealed evidence, which give the results of the open one.

    Raises UsageError where a finding that the label leans on does not count any more.
    """
    folder = Folder(work)
    plan = read_plan(folder)
    counted = recount(plan, read_indexes(folder, plan), evidence_lines(folder))
    if measures_bytes(counted) != read_document(container, MEASURES):
        raise SealError("the sealed evidence does not give the counts of the open one", where=EVIDENCE)
    rubric = load_rubric(read_document(folder, RUBRIC), RUBRIC)
    label = decide(
        rubric,
        counted.tallies(),
        design=plan.design,
        attested=names_given(folder, rubric, plan, now),
        references=plan.reference_tallies(),
    )
    if label.bytes() != read_document(container, LABEL):
        raise SealError("the sealed evidence does not give the label of the open one", where=LABEL)
    return counted


def _write_manifest(work: Path, writer: _Writer) -> Manifest:
    made = make_manifest(work, list(Folder(work).sizes))
    entries = [
        msgspec.structs.replace(entry, visibility="sealed") if writer.commitments.get(entry.path) else entry
        for entry in made.entries
    ]
    manifest = Manifest(made.format, tuple(entries))
    write_part(work / MANIFEST, manifest.bytes())
    return manifest
