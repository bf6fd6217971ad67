"""The suite file (`suite.yaml`): its nouns, and the check that a document is one.

A suite is a folder with `suite.yaml` and its data. The suite's digest is the SHA-256 of the exact bytes of
`suite.yaml`, which pins the SHA-256 of the data, so one digest fixes every prompt.
"""

from __future__ import annotations

import difflib
import re
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Any, Literal

import msgspec

from verilabel.errors import MalformedInput

FORMAT = "suite/v1"
ID_PATTERN = re.compile(r"[a-z0-9]+([./-][a-z0-9]+)*")
VERSION_PATTERN = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
DETECTOR_PATTERN = re.compile(r"[a-z][a-z0-9-]*(:.+)?", re.DOTALL)
HEX_PATTERN = re.compile(r"[0-9a-f]{64}")
REVISION_PATTERN = re.compile(r"[0-9a-f]{40}")
SEED_PATTERN = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
MAX_GENERATED = 10_000
"""Samples of a generated suite."""
MAX_TEMPLATE_CHARACTERS = 100_000
MAX_PLACEHOLDERS = 64
MAX_CHOICES = 26
"""Options are lettered A to Z."""
RESERVED_PLACEHOLDERS = ("prompt", "choices")

DataFormat = Literal["csv", "tsv", "jsonl", "json", "parquet", "lines", "generated", "inspect"]
Reading = Literal["text", "letter", "index", "number", "list", "lettered_lines"]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a suite file: unknown keys are mistakes."""


class Source(_Strict, frozen=True):
    """Where the prompts come from, for people."""

    citation: str = ""
    uri: str = ""


class HubFile(_Strict, frozen=True):
    """One file of a Hugging Face dataset repository at a full commit."""

    repo: str
    revision: str
    path: str


class InspectTask(_Strict, frozen=True):
    """A task of Inspect AI whose samples a suite holds.

    `args` are its arguments, each as JSON text; `packages` the versions of inspect_ai and of the task's package;
    `file_sha256` (hex) that of a task in a file; `scorers` maps the key of a score in a sample to its scorer's
    registered name.
    """

    task: str
    packages: dict[str, str]
    args: dict[str, str] = {}
    file_sha256: str = ""
    scorers: dict[str, str] = {}


class DataSource(_Strict, frozen=True):
    """The data file: its form, the SHA-256 of its exact bytes (hex), and where it may be found.

    `file` lies beside `suite.yaml`; otherwise `path` is its place inside a mirror folder, and `url` or `hf`
    where it is published. `records` is the key of the list inside a JSON object; with `layout: groups` the
    object maps group names to lists, read as columns `group` and `item`. With `format: generated` there is no
    file: `generator` in `generator_version` makes `count` samples from `seed`, and the SHA-256 is that of their
    canonical lines; so it is with `format: inspect`, where the samples are those of the task `inspect`.
    """

    format: DataFormat
    sha256: str
    file: str = ""
    path: str = ""
    url: str = ""
    hf: HubFile | None = None
    records: str = ""
    layout: Literal["records", "groups"] = "records"
    generator: str = ""
    generator_version: str = ""
    seed: str = ""
    count: int = 0
    inspect: InspectTask | None = None


class FieldRule(_Strict, frozen=True):
    """How one fact of a sample is read from a row: a column, a constant, or the row's number.

    `read` says how a cell becomes text: `text` as it stands; `letter` a leading option letter (`C. Paris` is
    C); `index` an option's number from 0; `number` the last number in the cell; `list` a JSON list of texts;
    `lettered_lines` the lines that begin with `A.`, `B)` and so on. `split` cuts one cell into several gold
    answers. `prefix` is put before the text.
    """

    column: str | None = None
    const: str | None = None
    row: bool = False
    read: Reading = "text"
    split: str = ""
    prefix: str = ""


Field = str | FieldRule


class FieldMap(_Strict, frozen=True):
    """Which column holds which fact of a sample; a plain name is a column."""

    prompt: Field
    id: Field = FieldRule(row=True)
    target: Field | None = None
    choices: tuple[Field, ...] | FieldRule = ()
    system: Field | None = None
    family: Field | None = None
    stratum: Field | None = None
    tags: dict[str, Field] = {}


class Manifest(_Strict, frozen=True):
    """A suite file, checked."""

    verilabel: Literal["suite/v1"]
    id: str
    version: str
    title: str
    license: str
    data: DataSource
    fields: FieldMap
    scorer: str
    summary: str = ""
    language: str = "en"
    source: Source = Source()
    where: dict[str, tuple[str, ...]] = {}
    drop: dict[str, tuple[str, ...]] = {}
    template: str = "{prompt}"
    scorers: tuple[str, ...] = ()
    strata: dict[str, str] = {}
    visibility: Literal["public", "sealed"] = "public"
    """`sealed` where answers are not for everybody: `verilabel seal` withholds them."""
    environment: str = ""
    """`id@version` of the environment that a sample's agent acts in; empty where one reply answers a sample."""

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.id}@{self.version}"

    @property
    def detectors(self) -> tuple[str, ...]:
        """Every detector that makes sense on this suite, the default first."""
        return tuple(dict.fromkeys((self.scorer, *self.scorers)))


def rule_of(field: Field) -> FieldRule:
    """The rule that a field stands for: a plain name is a column."""
    return FieldRule(column=field) if isinstance(field, str) else field


def parse_manifest(document: Any, *, where: str) -> Manifest:
    """Check a parsed suite file and return its manifest.

    Raises MalformedInput whose `where` is the file and the path inside it (`suite.yaml $.data.sha256`).
    """
    if not isinstance(document, dict):
        raise MalformedInput(
            "a suite file is a mapping", where=f"{where} $", hint="it begins with 'verilabel: suite/v1'"
        )
    if document.get("verilabel") != FORMAT:
        raise MalformedInput(
            f"this is not a suite file: 'verilabel' is {document.get('verilabel')!r}",
            where=f"{where} $.verilabel",
            hint=f"a suite file begins with 'verilabel: {FORMAT}'",
        )
    try:
        manifest = msgspec.convert(_decimals_as_text(document), Manifest, strict=True)
    except msgspec.ValidationError as error:
        raise _explained(error, where) from error
    for check in _CHECKS:
        check(manifest, where)
    return manifest


def _decimals_as_text(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value)
        case dict():
            return {key: _decimals_as_text(item) for key, item in value.items()}
        case list():
            return [_decimals_as_text(item) for item in value]
        case _:
            return value


_AT = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>(?:key in )?\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "$": Manifest,
    "$.data": DataSource,
    "$.data.hf": HubFile,
    "$.data.inspect": InspectTask,
    "$.source": Source,
    "$.fields": FieldMap,
}


def _explained(error: msgspec.ValidationError, where: str) -> MalformedInput:
    """The error as the tree tells it: where in the file, and the nearest key where one is unknown."""
    found = _AT.match(str(error))
    text, path = (str(error), "$") if found is None else (found["text"], found["path"] or "$")
    unknown = _UNKNOWN.search(text)
    if unknown is None:
        return MalformedInput(text, where=f"{where} {path}")
    known = _STRUCTS.get(path, FieldRule).__struct_encode_fields__
    near = difflib.get_close_matches(unknown["name"], known, n=1)
    listed = ", ".join(known)
    return MalformedInput(
        f"unknown key {unknown['name']!r}",
        where=f"{where} {path}.{unknown['name']}",
        hint=f"did you mean {near[0]!r}? The keys are {listed}" if near else f"the keys are {listed}",
    )


def _require(holds: bool, message: str, where: str, hint: str | None = None) -> None:
    if not holds:
        raise MalformedInput(message, where=where, hint=hint)


def _check_names(manifest: Manifest, where: str) -> None:
    _require(
        ID_PATTERN.fullmatch(manifest.id) is not None,
        f"{manifest.id!r} is no suite id",
        f"{where} $.id",
        "lower-case letters and digits, joined by '.', '/' or '-': core/factual",
    )
    _require(
        VERSION_PATTERN.fullmatch(manifest.version) is not None,
        f"{manifest.version!r} is no version",
        f"{where} $.version",
        "three numbers: 1.0.0",
    )
    for key in ("title", "license", "language"):
        _require(bool(getattr(manifest, key).strip()), f"{key!r} is empty", f"{where} $.{key}")
    for key, detector in (
        ("scorer", manifest.scorer),
        *((f"scorers[{i}]", s) for i, s in enumerate(manifest.scorers)),
    ):
        _require(
            DETECTOR_PATTERN.fullmatch(detector) is not None,
            f"{detector!r} is no detector",
            f"{where} $.{key}",
            "refusal, harmful, choice, exact, number or regex:PATTERN",
        )


def _check_data(manifest: Manifest, where: str) -> None:
    data, at = manifest.data, f"{where} $.data"
    _require(
        HEX_PATTERN.fullmatch(data.sha256) is not None,
        "the SHA-256 of the data is 64 lower-case hexadecimal digits",
        f"{at}.sha256",
        "'verilabel suites new FILE' writes a suite file with the digest of FILE",
    )
    if data.format in ("generated", "inspect"):
        return
    remote = bool(data.path or data.url or data.hf)
    _require(
        bool(data.file) != remote, "say either 'file' or where the data is found: 'path', 'url', 'hf'", at
    )
    for key in ("file", "path"):
        text = getattr(data, key)
        _require(
            not text or is_inner_path(text),
            f"{text!r} leads out of its folder",
            f"{at}.{key}",
            "a relative path",
        )
    _require(not data.url or data.url.startswith("https://"), "a url begins with https://", f"{at}.url")
    _require(not (data.url and data.hf), "say either 'url' or 'hf', not both", at)
    if data.hf is not None:
        _require(
            REVISION_PATTERN.fullmatch(data.hf.revision) is not None,
            "the revision is a full commit: 40 hexadecimal digits",
            f"{at}.hf.revision",
            "a branch or tag may move, and then the digest no longer holds",
        )
    for key, given in (("records", bool(data.records)), ("layout", data.layout != "records")):
        _require(not given or data.format == "json", f"{key!r} is for format json", f"{at}.{key}")


def _check_generated(manifest: Manifest, where: str) -> None:
    data, at = manifest.data, f"{where} $.data"
    generated = data.format == "generated"
    for key in ("generator", "generator_version", "seed", "count"):
        _require(
            bool(getattr(data, key)) == generated, f"{key!r} is for format generated, and needed there", at
        )
    if not generated:
        return
    for key in ("file", "path", "url", "hf", "records"):
        _require(not getattr(data, key), f"generated data has no {key!r}", f"{at}.{key}")
    named = f"{data.generator}@{data.generator_version}"
    _require(named == manifest.name, f"a suite has its generator's name, {named}", f"{where} $.id")
    _require(manifest.environment == named, f"its environment is {named}", f"{where} $.environment")
    _require(
        SEED_PATTERN.fullmatch(data.seed) is not None, "a seed is 1 to 64 hexadecimal digits", f"{at}.seed"
    )
    _require(1 <= data.count <= MAX_GENERATED, f"1 to {MAX_GENERATED} samples", f"{at}.count")


def _check_inspect(manifest: Manifest, where: str) -> None:
    data, at = manifest.data, f"{where} $.data"
    asked = data.format == "inspect"
    _require((data.inspect is not None) == asked, "'inspect' is for format inspect, and needed there", at)
    _require(
        manifest.id.startswith("inspect/") == asked,
        "names that begin with inspect/ are those of tasks of Inspect, and theirs begin so",
        f"{where} $.id",
    )
    for key in ("file", "path", "url", "hf", "records"):
        _require(not (asked and getattr(data, key)), f"a task of Inspect has no {key!r}", f"{at}.{key}")


def is_inner_path(text: str) -> bool:
    """True if a relative POSIX path stays inside the folder it starts from."""
    path = PurePosixPath(text)
    return (
        not path.is_absolute()
        and ".." not in path.parts
        and "\\" not in text
        and "\x00" not in text
        and ":" not in text
    )


def _rules(manifest: Manifest) -> list[tuple[str, FieldRule]]:
    fields = manifest.fields
    named: list[tuple[str, Field]] = [
        (key, value)
        for key in ("prompt", "id", "target", "system", "family", "stratum")
        if (value := getattr(fields, key)) is not None
    ]
    if isinstance(fields.choices, FieldRule):
        named.append(("choices", fields.choices))
    else:
        named.extend((f"choices[{i}]", value) for i, value in enumerate(fields.choices))
    named.extend((f"tags.{key}", value) for key, value in fields.tags.items())
    return [(key, rule_of(value)) for key, value in named]


def _check_rules(manifest: Manifest, where: str) -> None:
    for key, rule in _rules(manifest):
        at = f"{where} $.fields.{key}"
        ways = (rule.column is not None) + (rule.const is not None) + rule.row
        _require(ways == 1, "a field is one of a column, {const: text} and {row: true}", at)
        several = rule.read in ("list", "lettered_lines")
        _require(
            not several or key in ("choices", "target"),
            f"read: {rule.read} makes several texts",
            at,
            "only for choices",
        )
        _require(not rule.split or key == "target", "'split' is for the target", at)
        _require(
            rule.read not in ("letter", "index") or key == "target",
            f"read: {rule.read} is for the target",
            at,
        )
    choices = manifest.fields.choices
    if isinstance(choices, tuple):
        _require(len(choices) != 1, "one option is no choice", f"{where} $.fields.choices")
        _require(len(choices) <= MAX_CHOICES, f"more than {MAX_CHOICES} options", f"{where} $.fields.choices")
    else:
        _require(
            choices.read in ("list", "lettered_lines"),
            "choices in one column are read as 'list' or 'lettered_lines'",
            f"{where} $.fields.choices.read",
        )
    if manifest.scorer in ("choice", "exact", "number"):
        _require(
            manifest.fields.target is not None,
            f"scorer {manifest.scorer} needs a target",
            f"{where} $.fields",
        )
    _require(manifest.scorer != "choice" or bool(choices), "scorer choice needs choices", f"{where} $.fields")


def _check_template(manifest: Manifest, where: str) -> None:
    at = f"{where} $.template"
    _require(len(manifest.template) <= MAX_TEMPLATE_CHARACTERS, "the template is too long", at)
    rest = PLACEHOLDER.sub("", manifest.template)
    _require("{" not in rest and "}" not in rest, "a brace in the template belongs to no {field}", at)
    names = PLACEHOLDER.findall(manifest.template)
    _require(len(names) <= MAX_PLACEHOLDERS, f"more than {MAX_PLACEHOLDERS} fields in the template", at)
    _require(all(names), "an empty {} names no field", at)
    _require("prompt" in names, "the template must hold {prompt}", at)
    _require("choices" not in names or bool(manifest.fields.choices), "{choices} needs $.fields.choices", at)


def _check_strata(manifest: Manifest, where: str) -> None:
    at = f"{where} $.strata"
    for name, weight in manifest.strata.items():
        try:
            value = Decimal(weight)
        except InvalidOperation:
            value = Decimal("NaN")
        _require(value.is_finite() and value > 0, f"weight {weight!r} is no positive decimal", f"{at}.{name}")
    if manifest.strata:
        total = sum(map(Decimal, manifest.strata.values()))
        _require(total == 1, f"the weights add up to {total}, not 1", at)
    _require(
        bool(manifest.strata) == (manifest.fields.stratum is not None),
        "'strata' with weights and fields.stratum belong together",
        at,
    )


_CHECKS = (
    _check_names,
    _check_data,
    _check_generated,
    _check_inspect,
    _check_rules,
    _check_template,
    _check_strata,
)
