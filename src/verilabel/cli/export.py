"""Write a label in other tools' formats: leaderboards, model cards, bills of materials, CI, in-toto, tables.

The bundle is verified first, and one that fails is refused. Every file says both halves of the label, the level that
was found and the digest of the signed statement, and is the same each time: no clock but the bundle's is read (a
verification result, `svr`, says when it was verified).

formats:
  eee          Every Eval Ever 0.3.0: aggregate with intervals, and a line an answer
  hf           Hugging Face: .eval_results/*.yaml and a section for the model card
  cyclonedx    CycloneDX 1.6 ML-BOM: model card, claims, evidence, attestation
  svr          in-toto Simple Verification Result
  eval-result  in-toto eval-result (pull request 575), a line a measure
  junit        JUnit XML: a test case a row
  sarif        SARIF 2.1.0: rows that are not met, and open ones
  inspect      Inspect AI JSON log: one a suite, for its viewer
  csv          a row an answer
  parquet      the same with types (extra `parquet`)

examples:
  verilabel export gpt.bundle --to cyclonedx --out gpt.cdx.json
  verilabel export gpt.bundle --to junit --to sarif --out reports --undetermined fail
  verilabel export gpt.bundle --to hf --card README.md --hub-task overrefusal=org/benchmark:default --out hub
  verilabel export gpt.bundle --to svr --key default --out gpt.svr.json
  verilabel export gpt.bundle --to csv --texts --out answers.csv

Answers may be harmful or upsetting: `csv` and `parquet` hold none unless --texts is given; `eee` and `inspect` are for
reading them, and hold digests in their place with --no-texts.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, LimitExceeded, UsageError

if TYPE_CHECKING:
    from verilabel.interchange.exporting.options import ExportOptions, HubTask
    from verilabel.interchange.exporting.source import Source
    from verilabel.interchange.exporting.writing import Export, Target

SUMMARY = "write a label in other tools' formats"
NAMES = ("eee", "hf", "cyclonedx", "svr", "eval-result", "junit", "sarif", "inspect", "csv", "parquet")
MAX_SALT_BYTES = 4096
_HUB_TASK = re.compile(r"(?P<measure>[^=]+)=(?P<repo>[\w.-]+/[\w.-]+):(?P<task>[\w./-]+)", re.ASCII)
_URL = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20\x7f-\uffff]+", re.ASCII)
_PRIVATE = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/|$)", re.ASCII)
"""Addresses to which a token may be sent: encrypted, or on this machine."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"\\^`{|}\x00-\x20\x7f-\uffff]+", re.ASCII)


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    parser.add_argument(
        "--to", action="append", required=True, choices=NAMES, metavar="FORMAT", help="a format (repeatable)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="a file, or a folder for several files"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument(
        "--texts",
        action=BooleanOptionalAction,
        default=None,
        help="write prompts and answers, or digests in their place (default: as the format is meant)",
    )
    parser.add_argument(
        "--undetermined",
        choices=("skip", "fail"),
        default="skip",
        help="junit, sarif: what an open row is (default skip)",
    )
    parser.add_argument(
        "--relationship",
        choices=("first_party", "third_party", "collaborative", "other"),
        default="other",
        help="who evaluated, seen from the model's maker; a bundle does not say it (default other)",
    )
    parser.add_argument("--bundle-url", metavar="URL", help="where readers find the bundle")
    seal_options.add_reference_option(parser)
    seal_options.add_trust_option(parser)
    _configure_hub(parser)
    _configure_statements(parser)
    add_json_flag(parser)


def _configure_hub(parser: ArgumentParser) -> None:
    hub = parser.add_argument_group("Hugging Face (--to hf)")
    hub.add_argument(
        "--hub-task",
        action="append",
        default=[],
        metavar="MEASURE=REPO:TASK",
        help="the benchmark dataset and task that a measure's result is listed under (repeatable)",
    )
    hub.add_argument(
        "--card",
        type=Path,
        metavar="README.md",
        help="put the section into this model card, or replace it there",
    )
    hub.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="open a pull request with results and card on this model's repository (extra `hub`)",
    )
    hub.add_argument("--endpoint", metavar="URL", help="another Hub than huggingface.co")


def _configure_statements(parser: ArgumentParser) -> None:
    statements = parser.add_argument_group("in-toto statements (--to svr, --to eval-result)")
    statements.add_argument("--key", metavar="NAME|FILE", help="sign them (DSSE) with this key")
    statements.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    statements.add_argument("--verifier", metavar="URI", help="svr: who verified")
    statements.add_argument(
        "--salt",
        type=Path,
        metavar="FILE",
        help="eval-result: secret bytes; model and suites become salted commitments",
    )


def run(args: Namespace) -> ExitStatus:
    """Verify the bundle, make every export, then write all files at once."""
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.interchange.exporting.formats import export_bundle, place_files
    from verilabel.interchange.exporting.source import open_source
    from verilabel.interchange.exporting.writing import write_targets
    from verilabel.suites.loading import find_suite

    _check_combination(args)
    chosen = _choose(args)
    trust, now = seal_options.open_trust(args), datetime.now(UTC)
    references = [
        verify_bundle(path, trust=trust, now=now, find_card=find_card, find_suite=find_suite)
        for path in args.reference
    ]
    if failed := next((found.failure for found in references if found.failure is not None), None):
        raise failed
    with open_source(
        args.bundle,
        trust=trust,
        now=now,
        references=references,
        find_card=find_card,
        find_suite=find_suite,
    ) as source:
        exports = export_bundle(source, args.to, chosen)
        targets = place_files(exports, args.out, overwrite=args.force)
        if args.card is not None:
            targets.append(_card_target(args.card, source, chosen))
        pushed = _files_to_push(args, exports, targets) if args.push else {}
        written = write_targets(targets)
        pull_request = _push(args, source, pushed) if args.push else None
        notes = [note for export in exports.values() for note in export.notes]
        _report(args, source, written, notes, pull_request)
    return ExitStatus.OK


def _check_combination(args: Namespace) -> None:
    """Refuse options that would be without effect."""
    needs = {
        "--card": (args.card, ("hf",)),
        "--push": (args.push, ("hf",)),
        "--hub-task": (args.hub_task, ("hf",)),
        "--key": (args.key, ("svr", "eval-result")),
        "--salt": (args.salt, ("eval-result",)),
        "--verifier": (args.verifier, ("svr",)),
    }
    for option, (value, formats) in needs.items():
        if value and not set(formats) & set(args.to):
            raise UsageError(f"{option} is for {' and '.join(formats)}", hint=f"add --to {formats[0]}")
    if args.endpoint and not args.push:
        raise UsageError("--endpoint says where to push", hint="add --push OWNER/NAME")
    if args.endpoint and not _PRIVATE.match(args.endpoint):
        raise UsageError("a token would travel in the open", where="--endpoint", hint="use https")
    for option, value, form in (
        ("--bundle-url", args.bundle_url, _URL),
        ("--endpoint", args.endpoint, _URL),
        ("--verifier", args.verifier, _URI),
    ):
        if value and not form.fullmatch(value):
            raise UsageError(
                f"{value[:80]!r} is not an address", where=option, hint="such as https://example.org/x"
            )


def _choose(args: Namespace) -> ExportOptions:
    from verilabel.interchange.exporting.options import ExportOptions

    return ExportOptions(
        texts=args.texts,
        undetermined=args.undetermined,
        relationship=args.relationship,
        key=None if args.key is None else seal_options.open_signing_key(args),
        verifier=args.verifier,
        salt=_read_salt(args.salt),
        hub_tasks=_hub_tasks(args.hub_task),
        bundle_url=args.bundle_url,
    )


def _read_salt(path: Path | None) -> bytes | None:
    if path is None:
        return None
    if path.stat().st_size > MAX_SALT_BYTES:
        raise LimitExceeded(f"a salt has at most {MAX_SALT_BYTES} bytes", where=str(path))
    return path.read_bytes()


def _hub_tasks(values: list[str]) -> dict[str, HubTask]:
    from verilabel.interchange.exporting.options import HubTask

    tasks: dict[str, HubTask] = {}
    for value in values:
        found = _HUB_TASK.fullmatch(value)
        if found is None:
            raise UsageError(
                f"{value[:80]!r} is not of the form MEASURE=REPO:TASK",
                where="--hub-task",
                hint="such as overrefusal=org/benchmark:default",
            )
        if found["measure"] in tasks:
            raise UsageError(f"{found['measure']!r} is given twice", where="--hub-task")
        tasks[found["measure"]] = HubTask(found["repo"], found["task"])
    return tasks


def _card_target(card: Path, source: Source, chosen: ExportOptions) -> Target:
    from verilabel.interchange.exporting.model_card import MAX_CARD_BYTES, insert_section, write_section
    from verilabel.interchange.exporting.writing import Target, plain_file

    path = card.resolve()  # a link is followed, not replaced
    before = b""
    if path.exists():
        if path.stat().st_size > MAX_CARD_BYTES:
            raise LimitExceeded(f"a card has at most {MAX_CARD_BYTES} bytes", where=str(card))
        before = path.read_bytes()
    data = insert_section(before, write_section(source, chosen), where=str(card))
    return Target(path, plain_file(path.name, data), replaces=True)


def _files_to_push(args: Namespace, exports: dict[str, Export], targets: list[Target]) -> dict[str, bytes]:
    from verilabel.interchange.exporting.hugging_face import SECTION_FILE

    files = {file.name: file.data() for file in exports["hf"].files if file.name != SECTION_FILE}
    if args.card is not None:
        files["README.md"] = targets[-1].file.data()
    if not files:
        raise UsageError(
            "there is nothing to push", hint="--hub-task lists a result, --card adds the section"
        )
    return files


def _push(args: Namespace, source: Source, files: dict[str, bytes]) -> str:
    from verilabel.interchange.exporting.hugging_face import push_files

    title = f"Add evaluation label {source.rubric.name} ({source.found.level_name})"
    return push_files(args.push, files, title=title, endpoint=args.endpoint)


def _report(
    args: Namespace, source: Source, written: list[Path], notes: list[str], pull_request: str | None
) -> None:
    if args.json:
        print_json(
            {
                "sentence": source.found.sentence,
                "level": source.found.level,
                "statement_sha256": source.statement_sha256,
                "files": [str(path) for path in written],
                "notes": notes,
                "pull_request": pull_request,
            }
        )
        return
    print(plain(source.found.sentence))
    for path in written:
        print(f"wrote {plain(str(path))}")
    for note in notes:
        print(f"note: {plain(note)}")
    if pull_request is not None:
        print(f"pull request: {plain(pull_request)}")
