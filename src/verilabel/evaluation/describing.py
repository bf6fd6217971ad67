"""Step 1 of a label's path: the descriptor of the system under test, from a file or from what the caller says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, UsageError
from verilabel.models.interface import Model
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.system import Scalar, SystemDescriptor

MODEL_SIGNING = "model-signing:"
DEFAULT_PARAMS: dict[str, Scalar] = {"temperature": "0", "max_tokens": 512}


class SystemFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A system file: what is tested, in the caller's words; files are read and bound by digest.

    `tools` and `guardrails` map names to files beside the system file.
    """

    model: str
    name: str | None = None
    base_url: str | None = None
    weights: str | None = None
    params: dict[str, Scalar] = {}
    system_prompt: str | None = None
    tools: dict[str, str] = {}
    guardrails: dict[str, str] = {}
    use_case: str = "general-chat"
    locale: str = "en-US"
    modality: str = "text"


@dataclass(frozen=True)
class SystemChoice:
    """What was chosen for the system under test, before the model is opened."""

    model: str
    name: str | None = None
    base_url: str | None = None
    weights: str | None = None
    params: Mapping[str, Scalar] = field(default_factory=lambda: dict(DEFAULT_PARAMS))
    system_prompt: str | None = None
    tools: Mapping[str, bytes] = field(default_factory=dict)
    guardrails: Mapping[str, bytes] = field(default_factory=dict)
    use_case: str = "general-chat"
    locale: str = "en-US"
    modality: str = "text"


def read_system_file(path: Path) -> SystemChoice:
    """Read a system file (YAML). Raises MalformedInput for unknown keys and for files it names that are not there."""
    document = load_strict_yaml(path.read_bytes(), where=str(path))
    try:
        read = msgspec.convert(_decimals_as_strings(document), SystemFile)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=str(path)) from error
    return SystemChoice(
        model=read.model,
        name=read.name,
        base_url=read.base_url,
        weights=_beside(path, read.weights),
        params={**DEFAULT_PARAMS, **read.params},
        system_prompt=read.system_prompt,
        tools=_read_beside(path, read.tools, "tools"),
        guardrails=_read_beside(path, read.guardrails, "guardrails"),
        use_case=read.use_case,
        locale=read.locale,
        modality=read.modality,
    )


def describe_system(choice: SystemChoice, model: Model) -> SystemDescriptor:
    """The descriptor of a chosen system, with what the opened model says of its identity."""
    for key, value in choice.params.items():
        if isinstance(value, float):
            raise UsageError(
                f"parameter {key} is a float; decimals are kept as text", where=f"$.params.{key}"
            )
    weights = _resolve_weights(choice.weights) or model.weights
    return SystemDescriptor(
        name=choice.name or model.provider_model,
        provider_model=model.provider_model,
        identity="weights" if weights else model.identity,
        weights=weights,
        params=dict(sorted(choice.params.items())),
        system_prompt=None if choice.system_prompt is None else digest(choice.system_prompt.encode("utf-8")),
        tools={name: digest(data) for name, data in sorted(choice.tools.items())},
        guardrails={name: digest(data) for name, data in sorted(choice.guardrails.items())},
        use_case=choice.use_case,
        locale=choice.locale,
        modality=choice.modality,
        base_url=model.base_url,
    )


def _resolve_weights(given: str | None) -> str | None:
    """A digest as it is; `model-signing:FOLDER` as the OpenSSF model-signing root of the folder."""
    if given is None or not given.startswith(MODEL_SIGNING):
        return given
    from verilabel.evidence.identities.weights import weights_root

    return weights_root(Path(given.removeprefix(MODEL_SIGNING)))


def _beside(path: Path, weights: str | None) -> str | None:
    if weights is None or not weights.startswith(MODEL_SIGNING):
        return weights
    return f"{MODEL_SIGNING}{path.parent / weights.removeprefix(MODEL_SIGNING)}"


def _read_beside(path: Path, files: Mapping[str, str], key: str) -> dict[str, bytes]:
    contents = {}
    for name, file in files.items():
        try:
            contents[name] = (path.parent / file).read_bytes()
        except OSError as error:
            raise MalformedInput(
                f"{file}: {error.strerror}",
                where=f"{path} $.{key}.{name}",
                hint="paths are relative to the system file",
            ) from error
    return contents


def _decimals_as_strings(value: object) -> object:
    from decimal import Decimal

    if isinstance(value, dict):
        return {key: _decimals_as_strings(item) for key, item in value.items()}
    return str(value) if isinstance(value, Decimal) else value
