"""Verifying a large bundle, beside hashing the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import ANY_CPU, Cost, run_command
from benchmarks.settings import REPOSITORY, CommandFailed, NotMeasured, Settings, program
from benchmarks.tables import Section, Spread, Table
from benchmarks.workload import make_bundle
from verilabel.evidence.layout import EVIDENCE

SAMPLES = 100_000
PROMPT_BYTES = 587
"""Makes an attempt and its score 1.41 kB together: 141 MB of evidence for 100,000 samples."""
ROUNDS = 5
METHOD = (
    "A signed and logged bundle of simulated answers is made by `verilabel label` and kept for the next run in the "
    "temporary folder. Verifying it (manifest, signature, log proofs, Merkle root, every record's canonical form, the "
    "counts and the label again) takes turns with hashing the same files, each command as a process of its own, after "
    "one unmeasured run of each, so that the files are in memory."
)
HASHING = """\
import hashlib, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        print(hashlib.file_digest(file, "sha256").hexdigest())
"""


def measure(settings: Settings) -> Section:
    """Measure `verilabel verify`, sha256sum and hashlib on the same bundle."""
    samples = 2_000 if settings.quick else SAMPLES
    bundle = _bundle(settings, samples)
    files = sorted(str(path) for path in bundle.rglob("*") if path.is_file())
    commands = {"verilabel verify": [program(), "verify", str(bundle)]}
    if shutil.which("sha256sum"):
        commands["sha256sum"] = ["sha256sum", *files]
    commands["python hashlib"] = [sys.executable, "-c", HASHING, *files]
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(settings.rounds_or(ROUNDS) + 1):
        for name, command in commands.items():
            cost = run_command(command, settings, cpu=ANY_CPU)
            if name == "verilabel verify" and "level: V2 recomputed" not in cost.out:
                raise CommandFailed(f"the label was not recomputed:\n{cost.out}")
            if number:
                costs[name].append(cost)
    return Section(
        "Verification",
        METHOD,
        (_table(bundle, files, costs),),
        (
            _describe(bundle, files, samples),
            f"rounds: {settings.rounds_or(ROUNDS)}; not pinned: `verify` hashes the evidence file beside reading it.",
        ),
    )


def _table(bundle: Path, files: list[str], costs: dict[str, list[Cost]]) -> Table:
    size = sum(Path(name).stat().st_size for name in files)
    rows = tuple(
        (
            name,
            Spread(tuple(cost.wall_s for cost in found)),
            Spread(tuple(cost.cpu_s for cost in found)),
            Spread(tuple(cost.rss_mb for cost in found)),
            Spread(tuple(size / 1e6 / cost.wall_s for cost in found)),
        )
        for name, found in costs.items()
    )
    lines = _lines(bundle / EVIDENCE)
    title = f"{lines:,} evidence records, {size / 1e6:,.1f} MB in {len(files)} files"
    return Table(title, ("command", "wall s", "CPU s", "peak MB", "MB/s"), rows)


def _describe(bundle: Path, files: list[str], samples: int) -> str:
    evidence, lines = (bundle / EVIDENCE).stat().st_size, _lines(bundle / EVIDENCE)
    attempts = _lines(bundle / EVIDENCE, b'{"kind":"attempt"')
    total = sum(Path(name).stat().st_size for name in files)
    return (
        f"{samples:,} samples: {attempts:,} attempts and {lines - attempts:,} scores are the {lines:,} leaves of the "
        f"Merkle tree, {evidence / 1e6:,.1f} MB, {evidence / attempts:,.0f} bytes an attempt with its score; with "
        f"observations, suite and the rest {total / 1e6:,.1f} MB are read."
    )


def _lines(path: Path, start: bytes = b"") -> int:
    with path.open("rb") as file:
        return sum(line.startswith(start) for line in file)


def _bundle(settings: Settings, samples: int) -> Path:
    """The bundle, made by the code as it stands; one that other code made is made anew."""
    keep = Path(tempfile.gettempdir()) / f"verilabel-benchmarks-{os.getuid()}"
    keep.mkdir(mode=0o700, exist_ok=True)
    if keep.is_symlink() or keep.stat().st_uid != os.getuid():
        raise NotMeasured(f"{keep} belongs to somebody else; set TMPDIR")
    folder, made_by = keep / f"verify-{samples}", keep / f"verify-{samples}.source"
    source = _source_digest()
    if folder.is_dir() and made_by.is_file() and made_by.read_text() == source:
        return folder / "made.bundle"
    made_by.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    bundle = make_bundle(settings, folder, samples, prompt_bytes=PROMPT_BYTES)
    if _lines(bundle / EVIDENCE, b'{"kind":"attempt"') != samples:
        raise CommandFailed(f"the bundle does not hold {samples} attempts")
    made_by.write_text(source)
    return bundle


def _source_digest() -> str:
    """A digest of all that decides what the bundle looks like: the product's source and these benchmarks'."""
    found = hashlib.sha256()
    for folder in (REPOSITORY / "src" / "verilabel", Path(__file__).parent):
        for path in sorted(
            p for p in folder.rglob("*") if p.suffix in (".py", ".yaml", ".json") and p.is_file()
        ):
            found.update(path.relative_to(REPOSITORY).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()
