"""Write an audit in other tools' formats: catalogues of data sets, bills of materials, a draft for the EU's AI Act.

The audit is verified first, and one that does not hold is refused. Every file says the audit's digest, its root and how
much was read; counts stand with their bounds, and where nothing was found, nothing is called clean. What only the
provider of the data knows is said by options, or left out.

formats:
  --croissant   Croissant 1.1 JSON-LD with the RAI vocabulary: files with digests, findings in words
  --spdx        SPDX 3.0.1 JSON-LD; with --creator, --built, --released and --url it conforms to the dataset profile
  --cyclonedx   CycloneDX 1.6: a data component with what is sensitive in it
  --eu-summary  draft of the public summary of training content, AI Act Art. 53(1)(d): Markdown, or HTML for FILE.html

examples:
  verilabel data export run.audit --croissant croissant.json --licence CC-BY-4.0 --url https://example.org/data
  verilabel data export run.audit --spdx data.spdx.json --cyclonedx data.cdx.json --name corpus --version 2.0
  verilabel data export run.audit --eu-summary summary.md
  verilabel data export run.audit --eu-summary summary.html

exit statuses: 0 written, 2 usage, 3 malformed, 4 the audit does not hold
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus, SealError, UsageError

if TYPE_CHECKING:
    from verilabel.audit.exporting.dataset import AuditedData

SUMMARY = "write an audit as Croissant, SPDX, CycloneDX, or a draft of the EU's public summary"
FORMATS = ("croissant", "spdx", "cyclonedx", "eu_summary")
MAX_TEXT = 10_000
_URL = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20\x7f-\uffff]+", re.ASCII)


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, help="the folder of an audit")
    formats = parser.add_argument_group("formats")
    for name in FORMATS:
        formats.add_argument(
            f"--{name.replace('_', '-')}", type=Path, metavar="FILE", help="write this format"
        )
    said = parser.add_argument_group("what the provider says")
    said.add_argument("--name", type=_text, help="the data set's name (default: the audit's inputs)")
    said.add_argument("--licence", type=_text, metavar="SPDX", help="its licence, an SPDX expression")
    said.add_argument("--version", type=_text, help="its version")
    said.add_argument("--url", type=_url, help="where it is")
    said.add_argument("--creator", type=_text, metavar="NAME", help="the organisation that made it")
    said.add_argument("--description", type=_text, metavar="TEXT", help="what it is")
    said.add_argument("--built", type=_date, metavar="DATE", help="when it was put together, 2026-11-23")
    said.add_argument("--released", type=_date, metavar="DATE", help="when it was released")
    said.add_argument("--classification", type=_text, metavar="TEXT", help="how confidential it is")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def _text(text: str) -> str:
    if not text.strip() or len(text) > MAX_TEXT or not text.replace("\n", " ").isprintable():
        raise ArgumentTypeError(f"not a text of 1 to {MAX_TEXT} characters that can be seen")
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text) or len(text) > MAX_TEXT:
        raise ArgumentTypeError(f"{text[:80]!r} is not an http or https URL")
    return text


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ArgumentTypeError(f"{text[:80]!r} is not a date such as 2026-11-23") from None


def run(args: Namespace) -> ExitStatus:
    """Verify the audit, then write what was asked for: all files, or none."""
    from verilabel.audit.exporting.dataset import DatasetOptions, open_audited_data
    from verilabel.audit.proof.folder import AuditFolder
    from verilabel.evidence.atomic import write_file
    from verilabel.report.audit.view import check_standing

    wanted = {name: getattr(args, name) for name in FORMATS if getattr(args, name) is not None}
    _check_targets(wanted, force=args.force)
    standing = check_standing(args.audit, seal_options.open_trust(args))
    if standing.failure is not None:
        failure = standing.failure
        if isinstance(failure, SealError):
            raise SealError(
                f"the audit does not hold, and is not exported: {failure.message}",
                where=failure.where,
                step=failure.step,
            ) from failure
        raise failure
    options = DatasetOptions(**{name: getattr(args, name) for name in DatasetOptions.__struct_fields__})
    data = open_audited_data(AuditFolder(args.audit), options)
    made = {path: _make(name, path, data) for name, path in wanted.items()}
    for path, content in made.items():
        write_file(path, content, overwrite=args.force)
    if args.json:
        print_json(
            {"audit": data.manifest.digest, "written": {name: str(path) for name, path in wanted.items()}}
        )
    else:
        for name, path in wanted.items():
            print(f"{name.replace('_', '-')}: {path}")
    return ExitStatus.OK


def _check_targets(wanted: dict[str, Path], *, force: bool) -> None:
    if not wanted:
        raise UsageError(
            "no format was asked for", hint="--croissant, --spdx, --cyclonedx or --eu-summary FILE"
        )
    if len({path.resolve() for path in wanted.values()}) != len(wanted):
        raise UsageError("two formats have one file", hint="give each its own")
    for path in wanted.values():
        if path.exists() and not force:
            raise UsageError(
                "the file is already there", where=str(path), hint="choose another name, or --force"
            )
        if not path.parent.is_dir():
            raise UsageError("there is no such folder", where=str(path.parent))


def _make(name: str, path: Path, data: AuditedData) -> bytes:
    from verilabel.audit.exporting.croissant import write_croissant
    from verilabel.audit.exporting.cyclonedx import write_cyclonedx
    from verilabel.audit.exporting.dataset import json_bytes
    from verilabel.audit.exporting.eu_summary import write_eu_summary
    from verilabel.audit.exporting.markdown import render_markdown
    from verilabel.audit.exporting.spdx import write_spdx
    from verilabel.report.audit.summary import render_summary_page

    if name == "eu_summary":
        blocks = write_eu_summary(data)
        if path.suffix.lower() in (".html", ".htm"):
            footer = f"Made from the audit {data.manifest.digest}. The page itself is not signed."
            return render_summary_page(blocks, footer).encode("utf-8")
        return render_markdown(blocks).encode("utf-8")
    writers = {"croissant": write_croissant, "spdx": write_spdx, "cyclonedx": write_cyclonedx}
    return json_bytes(writers[name](data))
