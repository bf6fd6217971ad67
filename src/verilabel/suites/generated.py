"""Generated suites: a suite file that pins a public generator, a seed and a count instead of a data file.

The SHA-256 in the file is that of the canonical samples, one RFC 8785 line each, so that the suite's digest fixes every
sample as it does for a data file, and anyone who has this program can make the samples again from the file alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import msgspec

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.records.canonical import jcs, sha256_hex
from verilabel.records.sample import Sample
from verilabel.suites.format import MAX_GENERATED, SEED_PATTERN, Manifest
from verilabel.suites.worlds.catalogue import environments, find_environment
from verilabel.suites.worlds.seeded import SeededEnvironment

DEFAULT_COUNT = 120
"""Samples where no count is asked for: enough for a row at 5 % to be decided when nothing happens."""
_COUNT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_HOW = "ID[@VERSION][:count=N,seed=HEX], such as cap/planning:count=200,seed=5eed"


@dataclass(frozen=True, slots=True)
class GeneratedReference:
    """What a reference to a generated suite asks for. `seed` is None where the run's seed decides."""

    id: str
    version: str
    seed: str | None
    count: int


def generated_ids() -> list[str]:
    """The ids of the suites that are generated."""
    return list(environments())


def parse_generated(reference: str) -> GeneratedReference | None:
    """What a reference asks for; None where it is not of a generated suite.

    Raises UsageError for options that are none.
    """
    name, _, options = reference.partition(":")
    suite_id, _, version = name.partition("@")
    if suite_id not in environments():
        return None
    seed, count = None, DEFAULT_COUNT
    given = [option.partition("=") for option in options.split(",")] if options else []
    if len({key for key, _, _ in given}) != len(given):
        raise UsageError("an option is given twice", where=reference[:200], hint=_HOW)
    for key, _, value in given:
        if key == "seed" and SEED_PATTERN.fullmatch(value):
            seed = value
        elif key == "count" and _COUNT.fullmatch(value) and int(value) <= MAX_GENERATED:
            count = int(value)
        else:
            raise UsageError(f"{key[:40]}={value[:80]!r} is no option", where=reference[:200], hint=_HOW)
    return GeneratedReference(suite_id, version, seed, count)


def derive_seed(run_seed: str, suite_id: str) -> str:
    """The seed of a suite in a run: SHA-256 over the run's seed and the suite's id, so that one seed commits to all."""
    return hashlib.sha256(f"verilabel/suite-seed/v1\x00{run_seed}\x00{suite_id}".encode()).hexdigest()


def write_generated(suite_id: str, seed: str, count: int) -> bytes:
    """The exact bytes of the suite file for a seed and a count.

    Raises UsageError for an id that no environment has, MalformedInput for a seed or count that is none.
    """
    environment = environments().get(suite_id)
    if environment is None:
        raise UsageError(
            f"{suite_id[:80]!r} is not generated", hint=f"generated are {', '.join(environments())}"
        )
    sha256 = sha256_hex(encode_samples(environment.generate(seed, count)))
    quoted = json.dumps  # a JSON string is a YAML string
    lines = [
        "verilabel: suite/v1",
        f"id: {environment.id}",
        f"version: {environment.version}",
        f"title: {quoted(environment.title)}",
        f"summary: {quoted(environment.summary)}",
        "license: CC0-1.0",
        "language: en",
        "source:",
        f"  citation: {quoted(f'{environment.citation}, generator {environment.name}')}",
        "data:",
        "  format: generated",
        f"  generator: {environment.id}",
        f"  generator_version: {environment.version}",
        f"  seed: {quoted(seed)}",
        f"  count: {count}",
        f"  sha256: {quoted(sha256)}",
        f"environment: {environment.name}",
        "fields:",
        "  id: id",
        "  prompt: prompt",
        *(["  family: family"] if environment.has_families else []),
        "  tags:",
        *(f"    {tag}: {tag}" for tag in environment.tags),
        f"scorer: episode:{environment.events[0]}",
        f"scorers: [{', '.join(f'episode:{event}' for event in environment.events)}]",
    ]
    return ("\n".join(lines) + "\n").encode()


def make_samples(manifest: Manifest, *, where: str) -> tuple[Sample, ...]:
    """The samples that a suite file of generated data stands for.

    Raises UsageError where this program does not have the generator in that version, SealError where the samples do
    not have the digest that the file pins.
    """
    data = manifest.data
    samples = tuple(environment_of(manifest, where=where).generate(data.seed, data.count))
    found = sha256_hex(encode_samples(samples))
    if found != data.sha256:
        raise SealError(
            f"the generated samples have the digest {found[:12]}..., the file pins {data.sha256[:12]}...",
            where=f"{where} $.data.sha256",
            hint="it was made by another state of the generator than this program's: use the version that made it",
        )
    return samples


def environment_of(manifest: Manifest, *, where: str) -> SeededEnvironment[object]:
    """The environment of a generated suite, in exactly its version.

    Raises UsageError where this program has another version or none, MalformedInput where the file's tags are not
    those of the generator.
    """
    environment = find_environment(manifest.environment)
    if environment is None:
        raise UsageError(
            f"this program has no generator {manifest.environment[:80]!r}",
            where=f"{where} $.data.generator",
            hint=f"it has {', '.join(known.name for known in environments().values())}",
        )
    fields = manifest.fields
    if tuple(fields.tags) != environment.tags or (fields.family is not None) != environment.has_families:
        raise MalformedInput(
            "these are not the families and tags of the generator",
            where=f"{where} $.fields",
            hint=f"tags {', '.join(environment.tags)}; {'with' if environment.has_families else 'no'} family",
        )
    return environment


def encode_samples(samples: list[Sample] | tuple[Sample, ...]) -> bytes:
    """Samples as canonical lines: RFC 8785 of each without default values, and a line feed."""
    return b"".join(jcs(msgspec.to_builtins(sample)) + b"\n" for sample in samples)
