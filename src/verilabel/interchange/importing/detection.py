"""Which tool wrote a file, told by what is in it; a name or an ending decides nothing but the form of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.interchange.importing.every_eval_ever import read_every_eval_ever
from verilabel.interchange.importing.garak import read_garak
from verilabel.interchange.importing.helm import RUN_SPEC, read_helm
from verilabel.interchange.importing.inspect_log import read_inspect_archive, read_inspect_json
from verilabel.interchange.importing.lm_eval import read_lm_eval
from verilabel.interchange.importing.moonshot import read_moonshot
from verilabel.interchange.importing.openai_evals import read_openai_evals
from verilabel.interchange.importing.promptfoo import read_promptfoo
from verilabel.interchange.importing.run import ImportedRun
from verilabel.interchange.importing.source import Source, object_parts, read_source
from verilabel.interchange.importing.table import TableOptions, read_table_run

Format = Literal[
    "inspect",
    "lm-eval",
    "helm",
    "promptfoo",
    "garak",
    "openai-evals",
    "every-eval-ever",
    "moonshot",
    "table",
]
FORMATS: tuple[str, ...] = get_args(Format)
ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
MAX_FIRST_LINE = 16 * 2**20
HELM_FILES = (
    RUN_SPEC,
    "stats.json",
    "per_instance_stats.json",
    "scenario.json",
    "scenario_state.json",
    "instances.json",
    "display_requests.json",
    "display_predictions.json",
)


def read_run(path: Path, *, form: str | None = None, table: TableOptions | None = None) -> ImportedRun:
    """Read another tool's results.

    Raises UsageError for what is not there or an unknown format, MalformedInput for a file that is not of its format,
    LimitExceeded, MissingExtra for a zstd archive without its package.
    """
    options = table or TableOptions()
    if form is not None and form not in FORMATS:
        raise UsageError(f"no format {form!r}", hint=f"formats: {', '.join(FORMATS)}")
    if not path.exists():
        raise UsageError("no such file or folder", where=str(path))
    if options.is_given and form not in (None, "table"):
        raise UsageError(
            f"columns, claims and words are for tables, not for {form}", hint="the log has its own headlines"
        )
    try:
        if path.is_dir():
            return _read_folder(path, form)
        source = read_source(path)
        chosen = form or ("table" if options.is_given else detect_format(source))
        return _READERS[chosen](source, options)
    except RecursionError:
        raise LimitExceeded("JSON nested too deep", where=str(path)) from None


def _read_folder(path: Path, form: str | None) -> ImportedRun:
    if form == "helm" or (form is None and (path / RUN_SPEC).is_file()):
        return read_helm(path)
    if form == "lm-eval" or (form is None and any(path.glob("results*.json"))):
        return read_lm_eval(path)
    raise UsageError(
        "a folder is a run of HELM (run_spec.json) or of lm-eval (results*.json), and this is neither",
        where=str(path),
        hint="name a file",
    )


def _read_inspect(source: Source, options: TableOptions) -> ImportedRun:
    del options
    is_archive = source.data[:4] in (ZIP_MAGIC, EMPTY_ZIP_MAGIC)
    return read_inspect_archive(source) if is_archive else read_inspect_json(source)


_READERS: dict[str, Callable[[Source, TableOptions], ImportedRun]] = {
    "inspect": _read_inspect,
    "lm-eval": lambda source, _: read_lm_eval(source.path),
    "helm": lambda source, _: read_helm(source.path),
    "promptfoo": lambda source, _: read_promptfoo(source),
    "garak": lambda source, _: read_garak(source),
    "openai-evals": lambda source, _: read_openai_evals(source),
    "every-eval-ever": lambda source, _: read_every_eval_ever(source.path),
    "moonshot": lambda source, _: read_moonshot(source),
    "table": read_table_run,
}


def detect_format(source: Source) -> str:
    """The format of a file, by its content. Raises MalformedInput where it is none that is known."""
    if source.data[:4] in (ZIP_MAGIC, EMPTY_ZIP_MAGIC):
        return "inspect"
    if source.path.name in HELM_FILES and (source.path.parent / RUN_SPEC).is_file():
        return "helm"
    first = _first_line_object(source.data)
    if first is not None and (found := _detect_line(first)) is not None:
        return found
    parts = _parts_of(source)
    if parts is not None and (found := _detect_document(parts)) is not None:
        return found
    raise MalformedInput(
        "this is not the results of a tool that is known",
        where=source.where,
        hint=f"--format says which: {', '.join(FORMATS)}; a table of answers needs --column output=NAME",
    )


def _first_line_object(data: bytes) -> dict[str, Any] | None:
    """The first line where it is a JSON object of its own."""
    line = data.lstrip()[:MAX_FIRST_LINE].partition(b"\n")[0]
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _detect_line(first: Mapping[str, Any]) -> str | None:
    if isinstance(first.get("entry_type"), str):
        return "garak"
    if isinstance(first.get("spec"), dict) and "eval_name" in first["spec"]:
        return "openai-evals"
    if "doc_id" in first and "resps" in first:
        return "lm-eval"
    if "evaluation_id" in first and "sample_id" in first and "interaction_type" in first:
        return "every-eval-ever"
    return None


def _parts_of(source: Source) -> dict[str, bytes] | None:
    if source.data.lstrip()[:1] != b"{":
        return None
    try:
        return object_parts(source.data, source.where)
    except MalformedInput:
        if source.path.suffix.lower() == ".json":
            raise  # a JSON file that is cut short is told so, rather than that it is unknown
        return None


def _detect_document(parts: Mapping[str, bytes]) -> str | None:
    has = parts.keys().__contains__
    if has("eval") and (has("version") or has("status")):
        return "inspect"
    if has("schema_version") and has("evaluation_results"):
        return "every-eval-ever"
    if not has("results"):
        return None
    if has("versions") and has("config"):
        return "lm-eval"
    results = parts["results"].lstrip()
    if has("metadata") and (b'"recipes"' in results or b'"cookbooks"' in results):
        return "moonshot"
    if has("evalId") or has("stats"):
        return "promptfoo"
    return None
