"""The formats by name, and where the files of several formats go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.interchange.exporting.answer_table import export_csv, export_parquet
from verilabel.interchange.exporting.cyclonedx import export_cyclonedx
from verilabel.interchange.exporting.every_eval_ever import export_every_eval_ever
from verilabel.interchange.exporting.hugging_face import export_hugging_face
from verilabel.interchange.exporting.inspect_log import export_inspect_logs
from verilabel.interchange.exporting.junit import export_junit
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.sarif import export_sarif
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.statements import export_eval_results, export_verification
from verilabel.interchange.exporting.writing import Export, Target

Exporter = Callable[[Source, ExportOptions], Export]


@dataclass(frozen=True)
class Format:
    """One format: what it is, what makes it, and whether it is always one file."""

    title: str
    export: Exporter
    is_one_file: bool = True
    shows_texts: bool | None = None
    """Whether prompts and answers are shown unless it is said otherwise; None where there are none in it."""
    has_statements: bool = False


FORMATS: dict[str, Format] = {
    "eee": Format(
        "Every Eval Ever 0.3.0: aggregate and lines",
        export_every_eval_ever,
        is_one_file=False,
        shows_texts=True,
    ),
    "hf": Format("Hugging Face results and model-card section", export_hugging_face, is_one_file=False),
    "cyclonedx": Format("CycloneDX 1.6 ML-BOM with declarations", export_cyclonedx),
    "svr": Format("in-toto Simple Verification Result", export_verification, has_statements=True),
    "eval-result": Format("in-toto eval-result, a line a measure", export_eval_results, has_statements=True),
    "junit": Format("JUnit XML, a test case a row", export_junit),
    "sarif": Format("SARIF 2.1.0, open and failed rows", export_sarif),
    "inspect": Format(
        "Inspect AI JSON log, one a suite", export_inspect_logs, is_one_file=False, shows_texts=True
    ),
    "csv": Format("a row an answer", export_csv, shows_texts=False),
    "parquet": Format("the same, with types (extra `parquet`)", export_parquet, shows_texts=False),
}


def place_files(exports: Mapping[str, Export], out: Path, *, overwrite: bool) -> list[Target]:
    """Where each file goes: `out` itself for one format that is one file, else below the folder `out`.

    An existing folder is always a folder. Raises UsageError where a folder is needed and a file lies there.
    """
    one = len(exports) == 1 and all(FORMATS[name].is_one_file for name in exports)
    if one and not out.is_dir():
        (export,) = exports.values()
        (file,) = export.files
        return [Target(out, file, overwrite)]
    if out.exists() and not out.is_dir():
        raise UsageError("several files need a folder, and this is a file", where=str(out))
    return [Target(out / file.name, file, overwrite) for export in exports.values() for file in export.files]


def export_bundle(source: Source, names: Sequence[str], options: ExportOptions) -> dict[str, Export]:
    """What each named format makes of a bundle, in the order given. Raises UsageError for a format it has not."""
    exports = {}
    for name in dict.fromkeys(names):
        if name not in FORMATS:
            raise UsageError(f"no format {name!r}", hint=f"formats are {', '.join(FORMATS)}")
        exports[name] = FORMATS[name].export(source, options)
    return exports
