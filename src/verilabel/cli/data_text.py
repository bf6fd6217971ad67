"""What the terminal says of an audit: how much was read, then what was found, each count with its bound and errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from verilabel.audit.proof.folder import AuditFolder
from verilabel.cli.console import plain, print_json

if TYPE_CHECKING:
    from verilabel.audit.exporting.found import KindFound
    from verilabel.audit.exporting.tallies import Named, Tallies
    from verilabel.audit.proof.manifest import AuditManifest

MOST_NAMES = 8
WIDTH = 110
MOST_SHARDS = 10
MOST_REASONS = 20
_RIGHT, _LEFT = ">", "<"


def print_audit(
    folder: Path,
    *,
    as_json: bool,
    standing: str | None = None,
    signer: str | None = None,
    with_limits: bool = False,
) -> None:
    """Print what an audit found. `standing` says what a verification of it showed, where there was one.

    Raises UsageError where there is no audit, MalformedInput for one that is not in its form.
    """
    from verilabel.audit.exporting.tallies import tally_audit

    audit = AuditFolder(folder)
    manifest = audit.manifest()
    tallies = tally_audit(audit, manifest)
    signed = audit.attestation() is not None
    if as_json:
        print_json(describe_audit(manifest, tallies, signed=signed, standing=standing, signer=signer))
        return
    who = f"signed by {signer}" if signer else "signed" if signed else "not signed"
    print(f"{plain(folder.resolve().name)}: {standing or 'as it says; not verified here'}; {plain(who)}")
    print(manifest.says)
    _print_coverage(manifest, tallies)
    _print_kinds(manifest)
    _print_sample(manifest)
    _print_contamination(manifest)
    _print_duplicates(manifest)
    _print_memorisation(tallies)
    _print_mixes(tallies, manifest)
    if with_limits:
        _print_limits(manifest)
    else:
        print("\nwhat the checks do not find: verilabel data show")
    print(f"\nroot    {manifest.root.sha256}\naudit   {manifest.digest}")


def describe_audit(
    manifest: AuditManifest, tallies: Tallies, *, signed: bool, standing: str | None, signer: str | None
) -> dict[str, object]:
    """An audit as a document: everything its manifest says, its digest, how it stands, and counts over its records."""
    import msgspec

    said: dict[str, object] = msgspec.to_builtins(manifest)
    return {
        **said,
        "digest": manifest.digest,
        "signed": signed,
        "signer": signer,
        "verification": standing,
        "tallies": msgspec.to_builtins(tallies),
    }


def _print_coverage(manifest: AuditManifest, tallies: Tallies) -> None:
    from verilabel.audit.exporting.found import say_coverage

    print(f"\n{say_coverage(manifest)}")
    if manifest.coverage.repaired:
        print(
            f"{manifest.coverage.repaired:,} documents were repaired: bytes that are no UTF-8 became U+FFFD"
        )
    for reason in tallies.unread[:MOST_REASONS]:
        unknown = f", and at {reason.unknown:,} places nobody knows how many" if reason.unknown else ""
        documents = "document" if reason.documents == 1 else "documents"
        print(f"  unread  {plain(reason.reason)}: {reason.documents:,} {documents}{unknown}")
    if len(tallies.shards) > 1:
        parts = sorted(tallies.shards, key=lambda part: (-part.unread, part.name))
        for part in [part for part in parts if part.unread or part.unknown][:MOST_SHARDS]:
            print(f"  unread  {part.unread:,} of them in {plain(part.name)}")


def _print_kinds(manifest: AuditManifest) -> None:
    from verilabel.audit.exporting.found import NOT_CLEAN, found_in_all, say_confidence

    kinds = found_in_all(manifest)
    if not kinds:
        return
    sure = say_confidence(manifest.settings.confidence)
    print(f"\nlooked for in every document that was read; at most: of a million, {sure} sure, each by itself")
    headings = ("kind", "documents", "findings", "at most", "planted", "found", "recall", "precision")
    sides = (_LEFT, *[_RIGHT] * (len(headings) - 1))
    _print_columns(headings, sides, [_kind_row(kind) for kind in kinds])
    print(
        "  planted, found: values planted in copies of these documents; at most rests on the worst form of a kind"
    )
    print("  recall, precision: on sets with known answers, the worst and the best")
    print("  " + NOT_CLEAN)


def _kind_row(kind: KindFound) -> tuple[str, ...]:
    from verilabel.audit.exporting.found import say_rate

    return (
        kind.kind,
        f"{kind.documents:,}",
        f"{kind.findings:,}",
        f"{kind.statement.upper_per_million:,}" if kind.bounded else "no bound",
        f"{kind.planted:,}" if kind.planted else "–",
        f"{kind.recovered:,}" if kind.planted else "–",
        say_rate(kind.recall),
        say_rate(kind.precision),
    )


def _print_sample(manifest: AuditManifest) -> None:
    from verilabel.audit.exporting.found import found_in_sample, say_sampled

    sample = manifest.sample
    if sample is None:
        return
    print(
        f"\nlooked for in a sample of {len(sample.documents):,} of {sample.population:,} documents, which the corpus "
        f"chose; {sample.looked_at:,} of their {sample.characters:,} characters were looked at"
    )
    for found in found_in_sample(manifest):
        print(fill(plain(say_sampled(found)), WIDTH, initial_indent="  ", subsequent_indent="    "))


def _print_contamination(manifest: AuditManifest) -> None:
    if not manifest.contamination:
        return
    print("\nbenchmarks in the data")
    headings = (
        "benchmark",
        "items found",
        "of",
        "cannot be found",
        "documents",
        "of them short questions alone",
    )
    rows = [
        (
            plain(each.name),
            f"{each.matched:,}",
            f"{each.items:,}",
            f"{each.unchecked:,}",
            f"{each.documents:,}",
            f"{each.documents_short:,}",
        )
        for each in manifest.contamination
    ]
    _print_columns(headings, (_LEFT, *[_RIGHT] * 5), rows)
    for each in manifest.contamination:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in each.by_rule.items() if count)
        if rules:
            print(f"  {plain(each.name)}: items by their strongest match: {rules}")


def _print_duplicates(manifest: AuditManifest) -> None:
    found = manifest.duplicates
    if found is None:
        return
    print("\nduplicates")
    for name, clusters in (("exact", found.exact), ("near", found.near)):
        if clusters is None:
            print(f"  {name:<6} not looked for")
            continue
        largest = f"; the largest has {clusters.largest[0].documents:,}" if clusters.largest else ""
        print(
            f"  {name:<6} {clusters.copies:,} documents repeat another; {clusters.documents:,} in "
            f"{clusters.clusters:,} clusters{largest}"
        )
    if found.alarms:
        print(
            f"  {found.alarms:,} clusters have more than {manifest.settings.duplicates.alarm_documents:,} documents: "
            "boilerplate as often as copies"
        )


def _print_memorisation(tallies: Tallies) -> None:
    found = tallies.memorisation
    if found is None:
        return
    print("\nindicators of memorisation: documents that are in the corpus so often, or more")
    _print_columns(
        ("times", "equal text", "near duplicates"),
        (_RIGHT, _RIGHT, _RIGHT),
        [
            (f"{each.copies:,}", f"{each.exact:,}", "-" if each.near is None else f"{each.near:,}")
            for each in found.repeated
        ],
    )
    if found.repetitive is not None:
        print(f"  documents of which more than half repeats itself: {found.repetitive:,}")
    print(fill(found.words, WIDTH, initial_indent="  ", subsequent_indent="  "))


def _print_mixes(tallies: Tallies, manifest: AuditManifest) -> None:
    read = manifest.coverage.read
    lines = [
        ("licences", _say_names(tallies.licence_classes, read)),
        ("declared", _say_names(tallies.declared, read)),
        ("languages", _say_names(tallies.languages, read)),
        ("years", _say_years(tallies)),
        (
            "domains",
            ", ".join(f"{plain(each.name)} {each.documents:,}" for each in tallies.domains[:MOST_NAMES]),
        ),
    ]
    shown = [(name, text) for name, text in lines if text]
    if shown:
        print("\ndocuments by what they are and where they come from")
    for name, text in shown:
        print(fill(f"{name:<10} {text}", WIDTH, initial_indent="  ", subsequent_indent=" " * 13))


def _say_names(names: Sequence[Named], read: int) -> str:
    from verilabel.report.wording import say_percent

    shown = [
        f"{plain(each.name)} {each.documents:,} ({say_percent(each.documents / read if read else None)})"
        for each in names[:MOST_NAMES]
    ]
    rest = len(names) - len(shown)
    return ", ".join([*shown, f"and {rest} others"] if rest else shown)


def _say_years(tallies: Tallies) -> str:
    if not tallies.years:
        return ""
    first, last = tallies.years[0].name, tallies.years[-1].name
    return f"{first} to {last}; {tallies.undated:,} without one"


def _print_limits(manifest: AuditManifest) -> None:
    from verilabel.audit.exporting.found import say_limits

    print("\nwhat these checks do not find")
    for limit in say_limits(manifest):
        print(fill(plain(limit), WIDTH, initial_indent="  ", subsequent_indent="    "))


def _print_columns(headings: Sequence[str], sides: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, each set to its side."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        print(("  " + "  ".join(cells)).rstrip())
