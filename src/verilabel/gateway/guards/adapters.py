"""The guards `presidio`, `guardrails` and `nemo`: other packages' detectors, with their settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.gateway.guards.adapting import AdapterGuard, AdapterLimits
from verilabel.records.canonical import digest, sha256_hex

MAX_CONFIG_FILES = 500
MAX_CONFIG_BYTES = 8 * 2**20


class PresidioSettings(AdapterLimits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`entities` by Presidio's names (none: all it knows), `score` the least that counts. `spacy_model` is an installed
    model that knows names and places; without one only patterns and checksums look."""

    entities: tuple[str, ...] = ()
    language: str = "en"
    score: float = 0.4
    spacy_model: str | None = None


class Validator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`use` is `module:Class` of an installed validator, such as `guardrails_ai.regex_match:RegexMatch`. `fix`: what it
    proposes instead of a text may replace it (some propose random text, so this is asked for)."""

    use: str
    name: str = ""
    package: str | None = None
    fix: bool = False
    settings: dict[str, Any] = {}

    def __post_init__(self) -> None:
        module, colon, name = self.use.partition(":")
        if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
            raise ValueError("use is module:Class, such as guardrails_ai.regex_match:RegexMatch")


class GuardrailsSettings(AdapterLimits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The validators that look, in order; the first that fails is the finding."""

    validators: tuple[Validator, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.validators:
            raise ValueError("name at least one validator")


class NemoSettings(AdapterLimits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`config` is the folder of a NeMo Guardrails configuration, beside the policy."""

    config: str


def open_presidio(settings: PresidioSettings, environ: Mapping[str, str], folder: Path) -> AdapterGuard:
    """Rules: Presidio's entity types. Offers spans, so `redact` replaces what was found and nothing else."""
    document = {
        "entities": settings.entities,
        "language": settings.language,
        "score": settings.score,
        "spacy_model": settings.spacy_model,
        "packages": [] if settings.spacy_model is None else [settings.spacy_model],
    }
    return AdapterGuard("presidio", "presidio", settings, document, environ, folder)


def open_guardrails(settings: GuardrailsSettings, environ: Mapping[str, str], folder: Path) -> AdapterGuard:
    """Rules: the validators' names (`name`, else the class). Spans are offered, and a fix asked for."""
    validators = [
        {
            "use": each.use,
            "name": each.name or each.use.partition(":")[2],
            "fix": each.fix,
            "settings": each.settings,
        }
        for each in settings.validators
    ]
    packages = [each.package for each in settings.validators if each.package is not None]
    document = {"validators": validators, "packages": packages}
    return AdapterGuard("guardrails", "guardrails", settings, document, environ, folder)


def open_nemo(settings: NemoSettings, environ: Mapping[str, str], folder: Path, where: str) -> AdapterGuard:
    """Rules `blocked: RAIL` and `modified`. The configuration may hold Python: it is trusted as the policy is."""
    config = find_config(folder, settings.config, where)
    document = {"config": str(config)}
    data = digest_folder(config, where)
    return AdapterGuard("nemo", "nemo", settings, document, environ, folder, data)


def find_config(folder: Path, name: str, where: str) -> Path:
    """The folder of a configuration. Raises MalformedInput where it leads outside, UsageError where it is none."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise MalformedInput("the configuration is outside the policy's folder", where=where)
    if not path.is_dir():
        raise UsageError("the configuration is no folder", where=f"{where}: {path}")
    return path


def digest_folder(folder: Path, where: str) -> str:
    """One digest of the files of a folder, by name and content. Raises LimitExceeded for too many or too large ones."""
    lines: list[str] = []
    size = 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        size += path.stat().st_size
        if len(lines) >= MAX_CONFIG_FILES or size > MAX_CONFIG_BYTES:
            raise LimitExceeded("the configuration has too many or too large files", where=where)
        lines.append(f"{path.relative_to(folder).as_posix()} {sha256_hex(path.read_bytes())}")
    return digest("\n".join(lines).encode())
