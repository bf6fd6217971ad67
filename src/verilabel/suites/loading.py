"""Loading a suite: find its file, check its digests, read its samples.

1. resolve the reference: a bundled id (`xstest`, `core/factual@1`), a generated suite
   (`cap/planning:count=200,seed=5eed`), a folder, or a suite file
2. read `suite.yaml`; its exact bytes make the suite's digest
3. find the data: beside the file, in the mirror, in the cache, and only if allowed on the network
4. check the data's SHA-256 against the one the suite pins
5. read rows and map them to samples

A generated suite has no data: its file, written here from the seed, pins the samples that its generator makes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError, VerilabelError
from verilabel.records.canonical import digest, jcs
from verilabel.records.sample import Sample, SampleEntry
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.suites.cache import Cache, check_digest
from verilabel.suites.download import download_data
from verilabel.suites.format import MAX_GENERATED, Manifest, parse_manifest
from verilabel.suites.generated import (
    GeneratedReference,
    derive_seed,
    generated_ids,
    make_samples,
    parse_generated,
    write_generated,
)
from verilabel.suites.mapping import build_samples
from verilabel.suites.readers import MAX_DATA_BYTES, read_table
from verilabel.suites.worlds.catalogue import environments, find_environment

SUITE_FILE = "suite.yaml"
BUNDLED = Path(__file__).parent / "data"
OWN_PREFIX = "core/"
MAX_SUITE_FILE_BYTES = 2**20
MAX_FOUND = 2_000
"""Samples that are generated to find out whether a file of a stranger is what a generator makes."""
Availability = Literal["bundled", "generated", "beside", "mirror", "cached", "to pull", "mirror only"]
ABSENT: tuple[Availability, ...] = ("to pull", "mirror only")
"""Availabilities that mean the data is not on this machine."""


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite file without its data: the manifest, the digest of the exact bytes, and where it was read."""

    manifest: Manifest
    digest: str
    path: Path

    @property
    def name(self) -> str:
        """`id@version`."""
        return self.manifest.name


@dataclass(frozen=True)
class Suite:
    """A loaded suite: its samples in the order of the data, under one digest."""

    manifest: Manifest
    digest: str
    """`sha256:` over the exact bytes of `suite.yaml`, which pins the data."""
    samples: tuple[Sample, ...]
    path: Path
    """The suite file that was read; of a generated suite, its name."""
    content: bytes
    """The exact bytes of the suite file."""

    @property
    def name(self) -> str:
        """`id@version`."""
        return self.manifest.name

    @property
    def data_digest(self) -> str:
        """The pinned digest of the data file."""
        return f"sha256:{self.manifest.data.sha256}"

    @property
    def strata(self) -> dict[str, str]:
        """Stratum to weight (a decimal string), where the suite has strata."""
        return self.manifest.strata

    @cached_property
    def entries(self) -> tuple[SampleEntry, ...]:
        """The suite's index for a bundle: facts for counting, and a digest instead of each text."""
        return tuple(entry_of(sample) for sample in self.samples)


def sample_digest(sample: Sample) -> str:
    """The digest of a sample's canonical bytes: RFC 8785 over its record without default values."""
    return digest(jcs(msgspec.to_builtins(sample)))


def entry_of(sample: Sample) -> SampleEntry:
    """A sample's line in a suite index."""
    return SampleEntry(
        id=sample.id,
        sha256=sample_digest(sample),
        family=sample.family,
        stratum=sample.stratum,
        tags=sample.tags,
    )


def load_suite(
    reference: str | Path,
    *,
    cache: Cache | Path | None = None,
    mirror: Path | None = None,
    allow_network: bool = False,
    run_seed: str | None = None,
) -> Suite:
    """Load a suite by bundled id (`xstest`, `core/factual@1`), generated id, folder or suite file.

    A generated suite whose reference names no seed takes the one that follows from `run_seed`, the run's own.
    `cache` is where pulled data lies (default: the user's). `mirror` is a folder that is searched for the
    suite's `path`. Without `allow_network` nothing is fetched. Raises UsageError if the suite or its data
    cannot be found, MalformedInput if a file is not what it must be, SealError if a digest does not hold.
    """
    asked = parse_generated(reference) if isinstance(reference, str) else None
    if asked is not None:
        return _load_generated(asked, run_seed)
    path = resolve_reference(reference)
    content, manifest = _read_suite_file(path)
    _check_version(reference, manifest)
    if manifest.data.format == "generated":
        return _suite_of(content, manifest, path)
    kept = cache if isinstance(cache, Cache) else Cache.of_user() if cache is None else Cache(cache)
    data, origin = _find_data(manifest, path, kept, mirror, allow_network)
    table = read_table(
        data, manifest.data.format, where=origin, records=manifest.data.records, layout=manifest.data.layout
    )
    samples = build_samples(manifest, table, where=origin)
    return Suite(manifest, digest(content), samples, path, content)


def make_suite(suite_id: str, seed: str, count: int) -> Suite:
    """The generated suite of a seed (1 to 64 hexadecimal digits) and a count.

    Raises UsageError for an id that no generator has, MalformedInput for a seed or a count that is none.
    """
    return load_suite_bytes(write_generated(suite_id, seed, count), where=suite_id)


def load_suite_bytes(content: bytes, *, where: str = SUITE_FILE, max_samples: int = MAX_GENERATED) -> Suite:
    """The generated suite that the bytes of a suite file pin, as a bundle or a store keeps them. No file is opened.

    Raises UsageError where the suite is not generated, or by a generator that this program does not have; SealError
    where the samples do not have the digest that the file pins; MalformedInput where it is no suite file;
    LimitExceeded where it asks for more samples than `max_samples`.
    """
    manifest = _parse_suite_file(content, where)
    if manifest.data.format != "generated":
        raise UsageError(f"{manifest.name} is not generated: its data is a file", where=where)
    if manifest.data.count > max_samples:
        raise LimitExceeded(f"{manifest.data.count} samples, the limit is {max_samples}", where=where)
    return _suite_of(content, manifest, Path(manifest.name))


def _load_generated(asked: GeneratedReference, run_seed: str | None) -> Suite:
    if asked.seed is None and run_seed is None:
        raise UsageError(
            f"{asked.id} is generated, and needs a seed",
            hint=f"{asked.id}:seed=HEX, 1 to 64 hexadecimal digits",
        )
    _check_wanted(asked.version, asked.id, environments()[asked.id].version)
    return make_suite(asked.id, asked.seed or derive_seed(run_seed or "", asked.id), asked.count)


def _suite_of(content: bytes, manifest: Manifest, path: Path) -> Suite:
    return Suite(manifest, digest(content), make_samples(manifest, where=str(path)), path, content)


def read_suite_file(reference: str | Path, *, run_seed: str | None = None) -> SuiteFile:
    """Read and check a suite file alone, without looking for its data. Raises as `load_suite`."""
    asked = parse_generated(reference) if isinstance(reference, str) else None
    if asked is not None:
        suite = _load_generated(asked, run_seed)
        return SuiteFile(suite.manifest, suite.digest, suite.path)
    path = resolve_reference(reference)
    content, manifest = _read_suite_file(path)
    _check_version(reference, manifest)
    return SuiteFile(manifest, digest(content), path)


def bundled_ids() -> list[str]:
    """The ids of the suites that come with the package, own suites first."""
    own = sorted(OWN_PREFIX + path.parent.name for path in BUNDLED.glob(f"*/{SUITE_FILE}"))
    return own + sorted(path.stem for path in (BUNDLED / "adapters").glob("*.yaml"))


def find_suite(name: str, content: bytes | None = None) -> str | None:
    """The digest of the suite file that comes with the package as `id@version`; None where none does.

    A generated suite has as many files as seeds: its digest is that of `content`, the file that somebody shows, where
    this program's generator makes the samples that the file pins.
    """
    path = _bundled_file(name.partition("@")[0])
    if path is not None:
        own, manifest = _read_suite_file(path)
        return digest(own) if manifest.name == name else None
    if content is None or find_environment(name) is None:
        return None
    try:
        suite = load_suite_bytes(content, max_samples=MAX_FOUND)
    except VerilabelError:
        return None
    return suite.digest if suite.name == name else None


def bundled_files() -> Iterator[SuiteFile]:
    """Every suite file that comes with the package."""
    for suite_id in bundled_ids():
        yield read_suite_file(suite_id)


def resolve_reference(reference: str | Path) -> Path:
    """The suite file a reference means.

    A bundled id wins over a folder of the same name; `./name` or a Path always means the folder. Raises
    UsageError with the nearest bundled id.
    """
    if isinstance(reference, Path):
        return _file_of_path(reference)
    name = reference.partition("@")[0]
    bundled = _bundled_file(name)
    if bundled is not None:
        return bundled
    path = Path(reference).expanduser()
    if path.exists() or reference.startswith((".", "/", "~")) or path.suffix in (".yaml", ".yml"):
        return _file_of_path(path)
    known = [*bundled_ids(), *generated_ids()]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise UsageError(
        f"no suite {reference!r}: neither a bundled id nor a folder",
        hint=f"did you mean {near[0]!r}?" if near else "'verilabel suites list' shows the bundled ones",
    )


def _bundled_file(name: str) -> Path | None:
    if name not in bundled_ids():
        return None
    if name.startswith(OWN_PREFIX):
        return BUNDLED / name.removeprefix(OWN_PREFIX) / SUITE_FILE
    return BUNDLED / "adapters" / f"{name}.yaml"


def _file_of_path(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        if not (path / SUITE_FILE).is_file():
            raise UsageError(f"the folder holds no {SUITE_FILE}", where=str(path), hint=_HOW_TO_MAKE)
        return path / SUITE_FILE
    if not path.is_file():
        raise UsageError("no such file or folder", where=str(path))
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError("a plain data file is not a suite", where=str(path), hint=_HOW_TO_MAKE)
    return path


_HOW_TO_MAKE = f"'verilabel suites new FILE' writes a {SUITE_FILE} for a data file, with its digest"


def _read_suite_file(path: Path) -> tuple[bytes, Manifest]:
    if path.stat().st_size > MAX_SUITE_FILE_BYTES:
        raise LimitExceeded(f"a suite file is at most {MAX_SUITE_FILE_BYTES} bytes", where=str(path))
    content = path.read_bytes()
    return content, _parse_suite_file(content, str(path))


def _parse_suite_file(content: bytes, where: str) -> Manifest:
    document = load_strict_yaml(content, where=where, max_bytes=MAX_SUITE_FILE_BYTES)
    manifest = parse_manifest(document, where=where)
    if manifest.id in generated_ids() and manifest.data.format != "generated":
        # whoever reads the name takes the answers for episodes of an agent
        raise MalformedInput(
            f"{manifest.id} is the name of a suite that is generated",
            where=f"{where} $.id",
            hint="give the suite another id",
        )
    return manifest


def _check_version(reference: str | Path, manifest: Manifest) -> None:
    """`@1` asks for any 1.x.y, `@1.2.3` for exactly that."""
    wanted = str(reference).partition("@")[2] if isinstance(reference, str) else ""
    if wanted and Path(str(reference)).exists():  # a folder whose name has an @
        return
    _check_wanted(wanted, manifest.id, manifest.version)


def _check_wanted(wanted: str, suite_id: str, version: str) -> None:
    if wanted and version != wanted and not version.startswith(f"{wanted}."):
        raise UsageError(f"version {wanted} of {suite_id} is not here", hint=f"this is {suite_id}@{version}")


def _find_data(
    manifest: Manifest, path: Path, cache: Cache, mirror: Path | None, allow_network: bool
) -> tuple[bytes, str]:
    """The data's checked bytes and where they came from, for messages."""
    source = manifest.data
    if source.file:
        return _checked_file(path.parent / source.file, source.sha256)
    if mirror is not None and source.path and (mirror / source.path).is_file():
        return _checked_file(mirror / source.path, source.sha256)
    data = cache.find(source.sha256)
    if data is not None:
        return data, str(cache.path_of(source.sha256))
    if allow_network and (source.url or source.hf):
        data = download_data(source)
        return data, str(cache.keep(data, source.sha256, where=source.url or manifest.id))
    raise _absent_data(manifest, mirror)


def availability_of(
    file: SuiteFile, *, cache: Cache | None = None, mirror: Path | None = None
) -> Availability:
    """Where a suite's data would come from now, without reading it: nothing is checked here."""
    source = file.manifest.data
    if source.format == "generated":
        return "generated"
    if source.file:
        return "bundled" if file.path.is_relative_to(BUNDLED) else "beside"
    if mirror is not None and source.path and (mirror / source.path).is_file():
        return "mirror"
    if (cache or Cache.of_user()).path_of(source.sha256).is_file():
        return "cached"
    return "to pull" if source.url or source.hf else "mirror only"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What pulling did: the suite's name, where its data lies (None: generated), and whether it was fetched now."""

    name: str
    path: Path | None
    fetched: bool


def pull_suite(reference: str | Path, *, cache: Cache | None = None, mirror: Path | None = None) -> Pulled:
    """Bring a suite's data into the cache, from the mirror where it has the file, else from the network.

    Raises UsageError where it cannot be had, SealError (and keeps nothing) where its digest is another one.
    """
    asked = parse_generated(reference) if isinstance(reference, str) else None
    if asked is not None:
        return Pulled(asked.id, None, False)
    file = read_suite_file(reference)
    source, kept = file.manifest.data, cache or Cache.of_user()
    if source.format == "generated":
        return Pulled(file.name, None, False)
    if source.file:
        _, path = _checked_file(file.path.parent / source.file, source.sha256)
        return Pulled(file.name, Path(path), False)
    if kept.find(source.sha256) is not None:
        return Pulled(file.name, kept.path_of(source.sha256), False)
    data, origin = _find_data(file.manifest, file.path, kept, mirror, True)
    return Pulled(file.name, kept.keep(data, source.sha256, where=origin), True)


def _checked_file(file: Path, sha256: str) -> tuple[bytes, str]:
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        raise MalformedInput("the suite's data file is missing", where=str(file)) from None
    if size > MAX_DATA_BYTES:
        raise LimitExceeded(f"{size} bytes of data, the limit is {MAX_DATA_BYTES}", where=str(file))
    data = file.read_bytes()
    check_digest(data, sha256, where=str(file))
    return data, str(file)


def _absent_data(manifest: Manifest, mirror: Path | None) -> UsageError:
    source = manifest.data
    ways = []
    if source.url or source.hf:
        ways.append(f"'verilabel suites pull {manifest.id}' downloads it")
    if source.path:
        ways.append(f"--mirror DIR takes it from DIR/{source.path}")
    return UsageError(
        f"the data of {manifest.name} is not on this machine",
        where=None if mirror is None else str(mirror / source.path),
        hint=" and ".join(ways),
    )
