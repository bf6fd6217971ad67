"""A task of Inspect as a suite: its samples under one digest, in a suite file that says how to find them again."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from verilabel.detectors.inspect_score import reference_of
from verilabel.errors import LimitExceeded, MalformedInput, SandboxError, SealError, UsageError
from verilabel.evaluation.inspect_backend.reference import InspectReference, parse_inspect_reference
from verilabel.models.inspect_process import InspectProcess, decode_body, find_inspect_python
from verilabel.records.canonical import digest, jcs, sha256_hex
from verilabel.records.sample import Message, Sample
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.suites.format import InspectTask, Manifest, parse_manifest
from verilabel.suites.loading import Suite

SUITE_FILE = "suite.yaml"
MAX_DATA_BYTES = 2**30
DESCRIBE_S = 900.0
"""Seconds that Inspect may take to say what a task is."""
REST_TAG = "rest_sha256"
"""The tag with the digest of what Inspect knows of a sample beside question and answer: metadata, files, sandbox."""
SANDBOX_TAG = "sandbox"
"""The tag that says in what the sample's programs run, as Inspect names its providers."""
LOCAL_SANDBOX = "local"
"""Inspect's provider that contains nothing."""
_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?", re.ASCII)
T = TypeVar("T")


class _Scorer(msgspec.Struct, frozen=True):
    key: str
    name: str
    values: tuple[str, ...] = ()


class TaskFacts(msgspec.Struct, frozen=True):
    """What the child says of a task."""

    name: str
    package: str
    packages: dict[str, str]
    license: str
    version: str
    file_sha256: str
    epochs: int
    scorers: tuple[_Scorer, ...]


class _SampleFacts(msgspec.Struct, frozen=True):
    id: str
    messages: tuple[Message, ...]
    target: tuple[str, ...]
    choices: tuple[str, ...]
    tags: dict[str, str]
    sandbox: str
    rest_sha256: str


class Described(msgspec.Struct, frozen=True):
    """A task's facts and its samples, sorted by id: some tasks shuffle theirs."""

    facts: TaskFacts
    samples: tuple[Sample, ...]

    @property
    def data(self) -> bytes:
        """The canonical samples, one RFC 8785 line each."""
        return b"".join(jcs(msgspec.to_builtins(sample)) + b"\n" for sample in self.samples)


def make_inspect_suite(reference: str, *, python: str | None = None) -> Suite:
    """The suite of a task of Inspect, by `inspect:TASK[:key=value,...]`. Starts Inspect to ask what the task is.

    `python` is the interpreter that has inspect_ai. Its name is `inspect/<task name with dashes>@<package version>`.
    Raises UsageError where the task is not there, MissingExtra without Inspect, SandboxError where it fails.
    """
    asked = parse_inspect_reference(reference)
    described = run_apart(describe(asked, python))
    return suite_of(write_suite(asked, described), described, asked)


def load_inspect_suite(
    content: bytes, *, file: Path | None = None, python: str | None = None, where: str = SUITE_FILE
) -> Suite:
    """The suite that the bytes of a suite file pin, as a store or a bundle keeps them; Inspect is asked again.

    `file` is where a task in a file is, as the suite file keeps its name and digest alone. Only for suite files that
    the user chose: a task's code is run. Raises SealError where the task, its packages or its samples are not those
    that the file pins, UsageError where the suite is no task of Inspect or its file is not given, and what
    `make_inspect_suite` raises.
    """
    manifest = parse_manifest(load_strict_yaml(content, where=where), where=where)
    task = task_of(manifest, where=where)
    asked = InspectReference(task.task, dict(task.args))
    if task.file_sha256:
        if file is None or not file.is_file():
            raise UsageError(f"the task is in a file, {task.task}, which is not here", where=where)
        asked = InspectReference(f"{file.resolve()}@{task.task.rpartition('@')[2]}", dict(task.args))
        if (found := sha256_hex(file.read_bytes())) != task.file_sha256:  # before its code is run
            raise SealError(f"another file, of digest {found[:12]}...", where=str(file))
    described = run_apart(describe(asked, python))
    check_described(manifest, described, where=where)
    return suite_of(content, described, asked)


def reference_for(suite: Suite) -> InspectReference:
    """The reference by which Inspect finds a loaded suite's task on this machine."""
    task = task_of(suite.manifest)
    name = task.task.rpartition("@")[2]
    return InspectReference(f"{suite.path}@{name}" if task.file_sha256 else task.task, dict(task.args))


def is_inspect_suite(suite: Suite) -> bool:
    """True for a suite that is a task of Inspect."""
    return suite.manifest.data.format == "inspect"


def uses_local_sandbox(suite: Suite) -> bool:
    """True for a task of Inspect that runs programs of a sample with the user's own rights (containment C0)."""
    return is_inspect_suite(suite) and any(
        sample.tags.get(SANDBOX_TAG) == LOCAL_SANDBOX for sample in suite.samples
    )


def task_of(manifest: Manifest, *, where: str = SUITE_FILE) -> InspectTask:
    """The task that a suite file names. Raises UsageError for a suite of another kind."""
    task = manifest.data.inspect
    if task is None:
        raise UsageError(f"{manifest.name} is no task of Inspect", where=where)
    return task


def check_described(manifest: Manifest, described: Described, *, where: str = SUITE_FILE) -> None:
    """Check that a described task is the one that a suite file pins. Raises SealError."""
    task, facts = task_of(manifest, where=where), described.facts
    for package, version in task.packages.items():
        if facts.packages.get(package) != version:
            raise SealError(
                f"the suite was made with {package} {version}, here is {facts.packages.get(package, 'none')}",
                where=f"{where} $.data.inspect.packages.{package}",
                hint=f"install {package}=={version} for the interpreter of Inspect, or make the suite anew",
            )
    for what, found, pinned in (
        ("the task's file", facts.file_sha256, task.file_sha256),
        ("the task's samples", sha256_hex(described.data), manifest.data.sha256),
    ):
        if found != pinned:
            raise SealError(
                f"{what} has the digest {found[:12]}..., the suite file pins {pinned[:12]}...",
                where=f"{where} $.data",
                hint="a task that draws its samples by chance needs an argument that fixes them",
            )


async def describe(asked: InspectReference, python: str | None) -> Described:
    """Ask Inspect what a task is. Raises UsageError where it cannot load it, SandboxError where it fails."""
    args = {key: json.loads(value) for key, value in asked.args.items()}
    command = {"command": "describe", "task": asked.task, "args": args}
    child = await InspectProcess.start(find_inspect_python(python), command)
    try:
        async with asyncio.timeout(DESCRIBE_S):
            return await hear_description(child)
    except TimeoutError as error:
        raise SandboxError(
            f"Inspect did not say what the task is within {DESCRIBE_S:g} s", where=f"inspect:{asked.task}"
        ) from error
    finally:
        await child.close()


async def hear_description(child: InspectProcess) -> Described:
    """What a child says of its task, until it has said all of it. Raises LimitExceeded beyond 1 GiB of samples."""
    told = await child.hear()
    try:
        facts = msgspec.json.decode(told.line, type=TaskFacts)
    except msgspec.DecodeError as error:
        raise MalformedInput("not what the Inspect process says of a task", where="inspect") from error
    samples, size = [], 0
    while (told := await child.hear()).head.kind == "sample":
        size += len(told.body or b"")
        if size > MAX_DATA_BYTES:
            raise LimitExceeded("more than 1 GiB of samples", where=f"inspect:{facts.name}")
        samples.append(_sample_of(decode_body(told, _SampleFacts)))
    if told.head.samples != len(samples) or len({sample.id for sample in samples}) != len(samples):
        raise MalformedInput("samples are missing, or two have one id", where=f"inspect:{facts.name}")
    if not samples:
        raise UsageError("the task has no samples", where=f"inspect:{facts.name}")
    return Described(facts, tuple(sorted(samples, key=lambda sample: sample.id)))


def _sample_of(facts: _SampleFacts) -> Sample:
    # a task's own metadata may use these names, and is not what they say
    tags = {key: value for key, value in sorted(facts.tags.items()) if key not in (SANDBOX_TAG, REST_TAG)}
    if facts.sandbox:
        tags[SANDBOX_TAG] = facts.sandbox
    return Sample(
        id=facts.id,
        messages=facts.messages,
        tags={**tags, REST_TAG: facts.rest_sha256},
        target=facts.target,
        choices=facts.choices,
    )


def write_suite(asked: InspectReference, described: Described) -> bytes:
    """The exact bytes of a task's suite file. Raises UsageError where the task has no scorer."""
    facts = described.facts
    scorers = [
        reference_of(scorer.name, value) for scorer in facts.scorers for value in scorer.values or ("",)
    ]
    if not scorers:
        raise UsageError("the task has no scorer, so nothing is measured", where=f"inspect:{asked.task}")
    task = asked.task if asked.file is None else f"{asked.file.name}@{facts.name}"
    mappings = {
        "packages": facts.packages,
        "args": asked.args,
        "scorers": {scorer.key: scorer.name for scorer in facts.scorers},
    }
    lines = [
        "verilabel: suite/v1",
        f"id: {suite_id(facts.name)}",
        f"version: {_quote(suite_version(facts))}",
        f"title: {_quote(f'{task}, a task of Inspect')}",
        f"license: {_quote(facts.license or 'not stated')}",
        "language: en",
        "data:",
        "  format: inspect",
        f"  sha256: {_quote(sha256_hex(described.data))}",
        "  inspect:",
        f"    task: {_quote(task)}",
        *([f"    file_sha256: {_quote(facts.file_sha256)}"] if facts.file_sha256 else []),
    ]
    for name, mapping in mappings.items():
        if mapping:
            lines.append(f"    {name}:")
            lines += [f"      {_quote(key)}: {_quote(mapping[key])}" for key in sorted(mapping)]
    tags = sorted({tag for sample in described.samples for tag in sample.tags})
    lines += [
        "fields:",
        "  id: id",
        "  prompt: prompt",
        "  tags:" if tags else "  tags: {}",
        *(f"    {_quote(tag)}: {_quote(tag)}" for tag in tags),
        f"scorer: {_quote(scorers[0])}",
        f"scorers: [{', '.join(map(_quote, scorers))}]",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _quote(text: str) -> str:
    """A JSON string, which is a YAML string where what YAML takes for the end of a line, or not at all, is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\u{ord(char):04x}" if _is_special_in_yaml(char) else char for char in quoted)


def _is_special_in_yaml(char: str) -> bool:
    return "\x7f" <= char <= "\x9f" or char in "\u2028\u2029\ufeff"


def suite_id(task_name: str) -> str:
    """`inspect/<task name with dashes>`: what a rubric calls the suite."""
    dashed = re.sub(r"[^a-z0-9]+", "-", task_name.casefold()).strip("-")
    return f"inspect/{dashed or 'task'}"


def suite_version(facts: TaskFacts) -> str:
    """The first three numbers of the version of the task's package; of a task in a file, those of its own version."""
    text = facts.packages.get(facts.package, facts.version)
    found = _NUMBERS.search(text) or _NUMBERS.search(f"{text}.0.0")
    if found is None:
        return "0.0.0"
    return ".".join(str(int(part or 0)) for part in found.groups())


def suite_of(content: bytes, described: Described, asked: InspectReference) -> Suite:
    """The suite of a suite file's exact bytes and what Inspect said of its task."""
    manifest = parse_manifest(load_strict_yaml(content, where=SUITE_FILE), where=SUITE_FILE)
    return Suite(manifest, digest(content), described.samples, asked.file or Path(manifest.name), content)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on an event loop of its own, whether or not one runs here."""
    result: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="inspect")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]
