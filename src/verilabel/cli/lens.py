"""Read the same evidence under every rubric: what each gives, what it could not assess, where they disagree and why.

The bundle is verified first, then its evidence is counted again for each rubric's measures. A reading is not a label:
it is not signed, the run was not planned for it, and of twenty readings the kindest proves nothing.

  granted or established   the first half of each pair; the second half is what could not be excluded or ruled out
  rows                     rows that could be assessed, of all
  *                        a rubric that is our reading of somebody else's framework, and not that body's verdict

--attestation says that an attestation is given; you vouch for it. Findings that were signed and lie in the bundle count
without it. --claimed reads a bundle that does not verify to V1, and says so.

examples:
  verilabel lens gpt.bundle
  verilabel lens gpt.bundle --rubric core --rubric open-label --rubric my-rubric.yaml
  verilabel lens gpt.bundle llama.bundle --rubric core --rubric xstest
  verilabel lens gpt.bundle --reference llama.bundle --attestation elicitation --json
  verilabel lens gpt.bundle --html lens.html

exit status: 0 the bundles were read and what they say of themselves holds; 1, 3 or 4 one does not verify to V1, or its
label does not follow from its evidence.
"""

from __future__ import annotations

import gc
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.cli.lens_words import Seen, name_reading, say_halves, say_side, shorten_name
from verilabel.errors import CheckFailed, ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.comparison.disagreement import Disagreement
    from verilabel.comparison.findings import BundleEvidence
    from verilabel.comparison.lens import Reading
    from verilabel.evidence.trust import TrustPolicy
    from verilabel.evidence.verification import Verification
    from verilabel.rubric.safeguards import SafeguardCheck
    from verilabel.rubric.structure import Rubric

SUMMARY = "the same evidence under every rubric, and where they disagree"
MAX_PRINTED = 40
"""Disagreements that are printed; --json has all."""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE", help="a folder or a .zip")
    parser.add_argument(
        "--rubric",
        action="append",
        default=[],
        metavar="ID|FILE",
        help="a rubric to read under (repeatable; default: the bundle's own and all bundled ones)",
    )
    parser.add_argument(
        "--attestation",
        action="append",
        default=[],
        metavar="NAME",
        help="an attestation that you vouch for (repeatable)",
    )
    seal_options.add_reference_option(parser)
    parser.add_argument(
        "--claimed", action="store_true", help="read a bundle that does not verify to V1, and say so"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as one HTML file too")
    parser.add_argument("--force", action="store_true", help="replace the file at --html")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify, count again for every rubric, compare."""
    from verilabel.comparison.disagreement import find_disagreements
    from verilabel.comparison.lens import Lens

    gc.disable()  # a short process whose objects have no cycles: collecting only costs time
    trust, now = seal_options.open_trust(args), datetime.now(UTC)
    compared = [_open_reference(path, trust, now) for path in args.reference]
    verified, references = [found for found, _ in compared], [evidence for _, evidence in compared]
    rubrics = _rubrics(args.rubric)
    _check_attestations(args.attestation, rubrics)
    seen = []
    for path in args.bundles:
        found, evidence = open_evidence(path, trust, now, claimed=args.claimed, references=verified)
        chosen = rubrics if args.rubric else _with_own(path, rubrics)
        lens = Lens(evidence, moment=now, attested=args.attestation, references=references)
        readings = lens.read_all(chosen)
        seen.append(Seen(path, found, readings, find_disagreements(readings)))
    if args.html is not None:
        from verilabel.cli.lens_page import write_page

        write_page(args.html, seen, read_at=now, overwrite=args.force)
    if args.json:
        print_json([document_of(item) for item in seen])
    else:
        print_seen(seen)
    failures = (item.found.failure for item in seen)
    return next((failure.status for failure in failures if failure is not None), ExitStatus.OK)


def open_evidence(
    path: Path,
    trust: TrustPolicy | None,
    now: datetime,
    *,
    claimed: bool = False,
    references: Sequence[Verification] = (),
) -> tuple[Verification, BundleEvidence]:
    """Verify a bundle and read its evidence.

    Raises what the verification found where it is below V1 and not `claimed`.
    """
    from verilabel.comparison.findings import read_evidence
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    found = verify_bundle(
        path, trust=trust, now=now, references=references, find_card=find_card, find_suite=find_suite
    )
    if found.level == "V0" and not claimed:
        if found.failure is not None:
            raise found.failure
        raise CheckFailed(
            f"it verifies to {found.level_name}: {found.reason}",
            where=str(path),
            hint="--claimed reads it all the same, and says so",
        )
    return found, read_evidence(path, found)


def _open_reference(
    path: Path, trust: TrustPolicy | None, now: datetime
) -> tuple[Verification, BundleEvidence]:
    """A reference system's bundle, of which as much is asked as for a label that leans on it."""
    found, evidence = open_evidence(path, trust, now)
    if found.level < "V2":
        raise CheckFailed(
            f"a reference system's bundle must verify to V2, this is {found.level_name}: {found.reason}",
            where=str(path),
        )
    return found, evidence


def _rubrics(references: Sequence[str]) -> list[Rubric]:
    from verilabel.rubric.model import bundled_rubrics, find_rubric

    if not references:
        return list(bundled_rubrics())
    rubrics = [find_rubric(reference) for reference in references]
    names = [rubric.sha256 for rubric in rubrics]
    if twice := next((r for r in rubrics if names.count(r.sha256) > 1), None):
        raise UsageError(f"{twice.name} is given twice", where="--rubric")
    return rubrics


def own_rubric(path: Path) -> Rubric:
    """The rubric that a bundle carries. Call it for a bundle that was verified."""
    from verilabel.evidence.container import open_container
    from verilabel.evidence.layout import RUBRIC
    from verilabel.evidence.reading import read_document
    from verilabel.rubric.model import load_rubric

    with open_container(path) as container:
        return load_rubric(read_document(container, RUBRIC), RUBRIC)


def _with_own(path: Path, rubrics: Sequence[Rubric]) -> list[Rubric]:
    """The rubrics with the bundle's own first."""
    own = own_rubric(path)
    return [own, *(rubric for rubric in rubrics if rubric.sha256 != own.sha256)]


def _check_attestations(names: Sequence[str], rubrics: Sequence[Rubric]) -> None:
    """Refuse an attestation that no rubric asks for: vouching for it would change nothing."""
    asked = sorted({name for rubric in rubrics for name in rubric.attestations})
    for name in names:
        if name not in asked:
            raise UsageError(
                f"no rubric here asks for an attestation {name!r}",
                where="--attestation",
                hint=f"they ask for {', '.join(asked) or 'none'}",
            )


def document_of(seen: Seen) -> dict[str, object]:
    """One bundle's lens for programs."""
    import msgspec

    return {
        "bundle": str(seen.path),
        "level": seen.found.level,
        "claimed": seen.found.level == "V0",
        "sentence": seen.found.sentence,
        "flags": list(seen.found.flags),
        "design": seen.readings[0].design,
        "readings": [reading.document() for reading in seen.readings],
        "disagreements": msgspec.to_builtins(seen.disagreements),
    }


# -- text ------------------------------------------------------------------------------------------


def print_seen(seen: Sequence[Seen]) -> None:
    """Print the bundles: side by side where there are several, then what was not assessed and the disagreements."""
    for item in seen:
        claimed = "CLAIMED, NOT VERIFIED. " if item.found.level == "V0" else ""
        print(f"{claimed}{plain(item.path.name)}: {plain(item.found.sentence)}")
        if item.found.failure is not None:
            print(f"  it does not hold: {plain(item.found.failure.message)}")
        print(f"  read by the {item.readings[0].design} design; flags: {plain(', '.join(item.found.flags))}")
    print()
    if len(seen) == 1:
        _print_one(seen[0])
    else:
        _print_side_by_side(seen)
    _print_section(seen, "notes", _say_notes)
    _print_section(seen, "safeguards of levels that are not ruled out", _say_safeguards)
    _print_section(seen, "what could not be assessed", _say_gaps)
    for item in seen:
        _print_disagreements(item, f" ({plain(item.path.name)})" if len(seen) > 1 else "")
    if any(reading.is_interpretation for item in seen for reading in item.readings):
        print("\n* our reading of that framework; not a verdict of the body that keeps it")
    print(
        "\nReadings are not labels: each errs at its own rubric's alpha, and all of them together more often."
    )


def _rows_of(reading: Reading) -> str:
    return f"{reading.assessed} of {len(reading.rows)}"


def _print_one(seen: Seen) -> None:
    rows = [(name_reading(reading), *say_halves(reading), _rows_of(reading)) for reading in seen.readings]
    print_table(("rubric", "granted or established", "not excluded or not ruled out", "rows"), rows)


def _print_side_by_side(seen: Sequence[Seen]) -> None:
    names = list(dict.fromkeys(reading.rubric.name for item in seen for reading in item.readings))
    headings = ["rubric", *(plain(item.path.name) for item in seen)]
    rows = []
    for name in names:
        cells = []
        for item in seen:
            reading = next((r for r in item.readings if r.rubric.name == name), None)
            cells.append(_cell(reading))
        first = next(r for item in seen for r in item.readings if r.rubric.name == name)
        rows.append((plain(name) + ("*" if first.is_interpretation else ""), *cells))
    print_table(headings, rows)
    print("each cell: granted .. not excluded, or established .. not ruled out (rows assessed)")


def _cell(reading: Reading | None) -> str:
    if reading is None or reading.label is None:
        return "not decided"
    if not reading.assessed:
        return plain(f"nothing assessed .. {reading.label.upper}")
    return plain(f"{reading.label.lower} .. {reading.label.upper} ({_rows_of(reading)})")


def _print_section(seen: Sequence[Seen], title: str, say: Callable[[Seen], list[str]]) -> None:
    """A heading with lines: once where they are the same for every bundle, and not at all without lines."""
    said = [say(item) for item in seen]
    if all(lines == said[0] for lines in said):
        said = said[:1]
    for item, lines in zip(seen, said, strict=False):
        if lines:
            whose = f" ({plain(item.path.name)})" if len(said) > 1 else ""
            print(f"\n{title}{whose}")
            for line in lines:
                print(plain(f"  {line}"))


def _say_notes(seen: Seen) -> list[str]:
    return [f"{shorten_name(r.rubric.name)}: {note}" for r in seen.readings for note in r.notes]


def _say_safeguards(seen: Seen) -> list[str]:
    """The safeguards of levels that are not ruled out, of rubrics that found something."""
    lines, unseen = [], 0
    for reading in seen.readings:
        label = reading.label
        for check in reading.safeguards:
            if label is None or label.scale.index(check.level) > label.scale.index(label.upper):
                continue
            if not reading.assessed and check.status == "not_assessed":
                unseen += 1
                continue
            lines.append(
                f"{shorten_name(reading.rubric.name)} {check.level} {check.name}: {_say_check(check)}"
            )
    if unseen:
        lines.append(f"not assessed: those of {unseen} levels of rubrics of which nothing was")
    return lines


def _say_check(check: SafeguardCheck) -> str:
    status = check.status.replace("_", " ")
    lacking = [
        row.attested or f"{row.measure} {row.op} {row.threshold}" for row in check.rows if row.status != "met"
    ]
    return status if check.status == "met" else f"{status}; not shown: {', '.join(lacking)}"


def _say_gaps(seen: Seen) -> list[str]:
    gaps = [f"{shorten_name(r.rubric.name)}: {_say_unassessed(r)}" for r in seen.readings if r.unassessed]
    return gaps or ["nothing: every row of every rubric was"]


def _say_unassessed(reading: Reading) -> str:
    """One line: suites that were not asked, attestations that were not given, and the rest with its reason."""
    from verilabel.suites.loading import bundled_ids

    ours = set(bundled_ids())
    asked: dict[bool, dict[str, None]] = {True: {}, False: {}}
    rest = []
    for missing in reading.unassessed:
        if missing.kind == "measure" and missing.why.endswith("was not asked"):
            suite = reading.rubric.measures[missing.what].suite
            asked[suite.partition("@")[0] in ours][suite] = None
        elif missing.kind != "attestation":
            rest.append(f"{missing.what}: {missing.why}")
    people = [missing.what for missing in reading.unassessed if missing.kind == "attestation"]
    parts = [
        f"{words}: {', '.join(names)}"
        for words, names in (
            ("not asked", asked[True]),
            ("not asked, and not a suite of this program", asked[False]),
            ("not attested", people),
        )
        if names
    ]
    return "; ".join(parts + rest)


def _print_disagreements(seen: Seen, heading: str) -> None:
    print(f"\nwhere they disagree and why{heading}")
    if not seen.disagreements:
        print("  nowhere: rubrics that measure the same thing find the same")
    printed = [*_say_rows(seen.disagreements), *_say_wholes(seen.disagreements)]
    about = ""
    for here, text, why in printed[:MAX_PRINTED]:
        if here != about:
            about = here
            print(plain(f"  {about}"))
        print(plain(f"    {text}"))
        print(plain(f"      {why}"))
    if len(printed) > MAX_PRINTED:
        print(f"  and {len(printed) - MAX_PRINTED} more: --json prints all")


def _say_rows(disagreements: Sequence[Disagreement]) -> list[tuple[str, str, str]]:
    """Rows that differ, a pair of rubrics a line: what about, who finds what, why."""
    return [
        (d.about, f"{say_side(d.left)} | {say_side(d.right)}", f"{_causes(d)}: {d.why}")
        for d in disagreements
        if d.left.row is not None
    ]


def _say_wholes(disagreements: Sequence[Disagreement]) -> list[tuple[str, str, str]]:
    """Rubrics whose rows agree and that show more or less of their scale, those that show more together."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for d in disagreements:
        if d.left.row is None:
            key = (
                d.about,
                d.left.rubric,
                d.left.standing,
                f"{_causes(d)}: {shorten_name(d.left.rubric)} {d.why}",
            )
            grouped.setdefault(key, []).append(f"{shorten_name(d.right.rubric)} ({d.right.standing})")
    return [
        (about, f"{shorten_name(name)} shows {standing} of its scale | {', '.join(more)}", why)
        for (about, name, standing, why), more in grouped.items()
    ]


def _causes(disagreement: Disagreement) -> str:
    return ", ".join(disagreement.causes).replace("_", " ")
