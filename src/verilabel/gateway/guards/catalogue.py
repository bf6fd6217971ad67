"""Guards by kind: what each looks for, what it may be told, and opening one that a policy names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.gateway.guards import adapters
from verilabel.gateway.guards.answers import HarmfulGuard, HarmfulSettings, RefusalGuard, RefusalSettings
from verilabel.gateway.guards.asking import OpenModel, check_model_settings, open_http_model
from verilabel.gateway.guards.factuality import FactualityGuard
from verilabel.gateway.guards.factuality_settings import FactualitySettings
from verilabel.gateway.guards.interface import Guard
from verilabel.gateway.guards.jailbreak import JailbreakGuard, JailbreakSettings
from verilabel.gateway.guards.json_validity import JsonGuard, JsonSettings, compile_schema
from verilabel.gateway.guards.language import LanguageGuard, LanguageSettings
from verilabel.gateway.guards.length import LengthGuard, LengthSettings
from verilabel.gateway.guards.model import ModelGuard, ModelGuardSettings
from verilabel.gateway.guards.settings import read_beside, read_settings
from verilabel.gateway.guards.span_kinds import PackSettings, open_own_guard, open_pack_guard
from verilabel.gateway.guards.system_leak import SystemLeakGuard, SystemLeakSettings
from verilabel.gateway.guards.topics import TopicsGuard, TopicsSettings
from verilabel.gateway.guards.topics_by_model import TopicsModelGuard
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import FIELDS, PASSAGE_FIELDS, Direction, Field
from verilabel.records.canonical import parse_json


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What guards may use of the outside: the policy's folder for files they name, the environment for keys, and how a
    model is opened (absent: over HTTP)."""

    folder: Path
    environ: Mapping[str, str] = msgspec.field(default_factory=lambda: os.environ)
    ask: OpenModel | None = None

    @property
    def open_model(self) -> OpenModel:
        """How a model is opened."""
        return self.ask or open_http_model(self.folder, self.environ)


Open = Callable[[GuardEntry, Any, Resources, str], Guard]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of guard. `settings` is the type of its settings (None: it reads them itself); `extra` must be installed.

    `directions` are where it can look at all; `policy.document` has where it looks, and what follows, if a policy does
    not say.
    """

    summary: str
    open: Open
    settings: type[msgspec.Struct] | None
    directions: tuple[Direction, ...] = ("input", "output")
    extra: str | None = None
    fields: tuple[Field, ...] = PASSAGE_FIELDS
    """Where it looks unless the policy says otherwise."""
    replaces: bool = False
    """True where it offers spans or a new text, so that `redact` makes sense."""


def _pack(entry: GuardEntry, settings: PackSettings, _: Resources, where: str) -> Guard:
    return open_pack_guard(entry.use, settings, where)


def _own(entry: GuardEntry, _settings: None, _: Resources, where: str) -> Guard:
    return open_own_guard(entry.use, entry.settings, where)


def _json(_entry: GuardEntry, settings: JsonSettings, resources: Resources, where: str) -> Guard:
    schema = settings.schema
    if settings.schema_file is not None:
        place = f"{where}.schema_file"
        read = parse_json(read_beside(resources.folder, settings.schema_file, place), where=place)
        if not isinstance(read, dict):
            raise MalformedInput("a schema is an object", where=place)
        schema = cast("dict[str, Any]", read)
    try:
        return JsonGuard(settings, schema)
    except MalformedInput as error:
        raise MalformedInput(error.message, where=f"{where}.schema", hint=error.hint) from error


def _model(entry: GuardEntry, settings: ModelGuardSettings, resources: Resources, where: str) -> Guard:
    check_model_settings(settings, where)
    return ModelGuard(settings, resources.open_model, entry.timeout_ms / 1000)


def _factuality(entry: GuardEntry, settings: FactualitySettings, resources: Resources, where: str) -> Guard:
    if settings.model is not None:
        check_model_settings(settings.model, f"{where}.model")
    return FactualityGuard(settings, resources.open_model, resources.environ, entry.timeout_ms / 1000)


def _topics(entry: GuardEntry, settings: TopicsSettings, resources: Resources, where: str) -> Guard:
    if settings.model is None:
        return TopicsGuard(settings)
    check_model_settings(settings.model, f"{where}.model")
    return TopicsModelGuard(settings, settings.model, resources.open_model, entry.timeout_ms / 1000)


def _simple(make: Callable[[Any], Guard]) -> Open:
    return lambda _entry, settings, _resources, _where: make(settings)


KINDS: dict[str, Kind] = {
    "pii": Kind(
        summary="personal data by pattern and checksum: cards, IBAN, e-mail, phones, national numbers",
        open=_pack,
        settings=PackSettings,
        fields=FIELDS,
        replaces=True,
    ),
    "secrets": Kind(
        summary="keys, tokens and private keys",
        open=_pack,
        settings=PackSettings,
        fields=FIELDS,
        replaces=True,
    ),
    "injection": Kind(
        summary="phrases and invisible characters that injections use",
        open=_pack,
        settings=PackSettings,
        replaces=True,
    ),
    "patterns": Kind(
        summary="your own patterns, in RE2's syntax", open=_own, settings=None, fields=FIELDS, replaces=True
    ),
    "words": Kind(
        summary="your own words and phrases", open=_own, settings=None, fields=FIELDS, replaces=True
    ),
    "jailbreak": Kind(
        summary="attempts to talk the model out of its instructions, by a linear classifier (English)",
        open=_simple(JailbreakGuard),
        settings=JailbreakSettings,
    ),
    "harmful": Kind(
        summary="harmful requests, and answers that carry one out, by the detector that scores labels (English)",
        open=_simple(HarmfulGuard),
        settings=HarmfulSettings,
    ),
    "refusal": Kind(
        summary="answers that decline, by the detector that scores labels (English)",
        open=_simple(RefusalGuard),
        settings=RefusalSettings,
        directions=("output",),
    ),
    "model": Kind(
        summary="a guard model, or any model with your policy, behind an OpenAI-compatible server",
        open=_model,
        settings=ModelGuardSettings,
    ),
    "topics": Kind(
        summary="topics that are forbidden, or the only ones allowed, by their words or by a model",
        open=_topics,
        settings=TopicsSettings,
    ),
    "language": Kind(
        summary="texts in a language that is not allowed",
        open=_simple(LanguageGuard),
        settings=LanguageSettings,
    ),
    "json": Kind(
        summary="answers that are no JSON, or do not fit a schema",
        open=_json,
        settings=JsonSettings,
        directions=("output",),
    ),
    "system_leak": Kind(
        summary="answers that repeat a stretch of the system prompt",
        open=_simple(SystemLeakGuard),
        settings=SystemLeakSettings,
        directions=("output",),
    ),
    "factuality": Kind(
        summary="answers that what was given does not support, by a server or model of yours",
        open=_factuality,
        settings=FactualitySettings,
        directions=("output",),
    ),
    "length": Kind(summary="texts that are too long", open=_simple(LengthGuard), settings=LengthSettings),
    "presidio": Kind(
        summary="personal data by Microsoft Presidio, in a process of its own",
        open=lambda _e, settings, r, _w: adapters.open_presidio(settings, r.environ, r.folder),
        settings=adapters.PresidioSettings,
        extra="presidio",
        replaces=True,
    ),
    "guardrails": Kind(
        summary="validators of Guardrails AI, in a process of their own",
        open=lambda _e, settings, r, _w: adapters.open_guardrails(settings, r.environ, r.folder),
        settings=adapters.GuardrailsSettings,
        extra="guardrails",
        replaces=True,
    ),
    "nemo": Kind(
        summary="rails of a NeMo Guardrails configuration, in a process of their own",
        open=lambda _e, settings, r, where: adapters.open_nemo(settings, r.environ, r.folder, where),
        settings=adapters.NemoSettings,
        extra="nemo",
        replaces=True,
    ),
}
"""Every kind that a policy can `use`."""


def find_kind(name: str, where: str) -> Kind:
    """A kind by its name. Raises MalformedInput."""
    kind = KINDS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, KINDS, n=1)
        raise MalformedInput(
            f"no kind of guard {name[:80]!r}",
            where=where,
            hint=f"did you mean {near[0]!r}?" if near else ", ".join(KINDS),
        )
    return kind


def check_settings(entry: GuardEntry, where: str) -> None:
    """Check a guard's kind, directions, action and settings; nothing is opened, no file read, no one asked.

    Raises MalformedInput with the place of what is wrong.
    """
    kind = find_kind(entry.use, f"{where}.use")
    for direction in entry.on:
        if direction not in kind.directions:
            raise MalformedInput(
                f"{entry.use} cannot look at the {direction}",
                where=f"{where}.directions",
                hint=f"directions: [{', '.join(kind.directions)}]",
            )
    place = f"{where}.settings"
    if kind.settings is None or kind.settings is PackSettings:
        # rules are compiled from settings alone: opening them is the check
        kind.open(entry, _settings_of(entry, kind, place), Resources(folder=Path()), place)
        return
    settings = _settings_of(entry, kind, place)
    if isinstance(settings, ModelGuardSettings):
        check_model_settings(settings, place)
    if isinstance(settings, FactualitySettings | TopicsSettings) and settings.model is not None:
        check_model_settings(settings.model, f"{place}.model")
    if isinstance(settings, JsonSettings) and settings.schema is not None:
        try:
            compile_schema(settings.schema)
        except MalformedInput as error:
            raise MalformedInput(error.message, where=f"{place}.schema", hint=error.hint) from error


def open_guard(entry: GuardEntry, resources: Resources, where: str | None = None) -> Guard:
    """The guard of an entry; a passage guard must still be opened (`await guard.open()`).

    Raises MalformedInput for settings that are none, UsageError for a missing file, MissingExtra for a missing package.
    """
    place = where or f"guard {entry.id}"
    kind = find_kind(entry.use, f"{place}.use")
    settings = _settings_of(entry, kind, f"{place}.settings")
    try:
        return kind.open(entry, settings, resources, f"{place}.settings")
    except VerilabelError:
        raise
    except OSError as error:
        raise UsageError(f"the guard cannot be opened: {type(error).__name__}", where=place) from error


def _settings_of(entry: GuardEntry, kind: Kind, place: str) -> msgspec.Struct | None:
    return None if kind.settings is None else read_settings(entry.settings, kind.settings, place)
