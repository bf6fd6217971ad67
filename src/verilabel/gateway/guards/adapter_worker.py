"""The process beside the gateway in which guards of other packages run: settings first, then a text a line.

    python -m verilabel.gateway.guards.adapter_worker

It is started by the gateway. Standard input and output carry JSON lines; what packages print goes to standard error.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

Answer = dict[str, Any]
Look = Callable[[str, str, str], Answer]
"""Judges a text, its direction, and what was asked last; gives `found` and what belongs to it."""


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The installed versions of packages, for the guard's version."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def open_presidio(settings: Mapping[str, Any]) -> Look:
    """Microsoft Presidio's analyser: spans of personal data."""
    from presidio_analyzer import AnalyzerEngine

    engine = AnalyzerEngine(nlp_engine=_nlp_engine(settings), supported_languages=[settings["language"]])
    wanted = list(settings["entities"]) or None
    known = set(engine.get_supported_entities(settings["language"]))
    unknown = sorted(set(wanted or ()) - known)
    if unknown:
        raise ValueError(f"no entity {unknown[0]}; there are {', '.join(sorted(known))}")

    def look(text: str, direction: str, asked: str) -> Answer:
        del direction, asked
        results = engine.analyze(
            text, language=settings["language"], entities=wanted, score_threshold=settings["score"]
        )
        ranked = sorted(results, key=lambda each: (-each.score, each.start - each.end, each.start))
        spans: list[tuple[int, int, str]] = []
        for each in ranked:
            if all(each.end <= start or end <= each.start for start, end, _ in spans):
                spans.append((each.start, each.end, each.entity_type))
        return {
            "found": bool(spans),
            "rule": spans[0][2] if spans else "",
            "spans": sorted(spans),
            "score": float(ranked[0].score) if ranked else None,
        }

    return look


def _nlp_engine(settings: Mapping[str, Any]) -> Any:
    from presidio_analyzer.nlp_engine import NlpEngineProvider, SpacyNlpEngine

    language, model = settings["language"], settings["spacy_model"]
    if model is not None:
        configuration = {
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": language, "model_name": model}],
        }
        return NlpEngineProvider(nlp_configuration=configuration).create_engine()
    spacy: Any = importlib.import_module("spacy")
    # no model: patterns and checksums alone, no names of people or places
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": "blank"}])
    engine.nlp = {language: spacy.blank(language)}
    return engine


def open_guardrails(settings: Mapping[str, Any]) -> Look:
    """Validators of Guardrails AI, by name."""
    from guardrails.settings import settings as package_settings

    package_settings.rc.enable_metrics = False
    package_settings.rc.use_remote_inferencing = False
    package_settings.disable_tracing = True
    validators = [(each["name"], each["fix"], _open_validator(each)) for each in settings["validators"]]

    def look(text: str, direction: str, asked: str) -> Answer:
        del direction, asked
        for name, fixes, validator in validators:
            result = validator.validate(text, {})
            if result.outcome.lower() == "fail":
                spans = [(each.start, each.end, name.rpartition("/")[2]) for each in result.error_spans or ()]
                fixed = result.fix_value if fixes and isinstance(result.fix_value, str) else None
                return {"found": True, "rule": name, "spans": spans, "replacement": fixed}
        return {"found": False}

    return look


def _open_validator(entry: Mapping[str, Any]) -> Any:
    from guardrails.types.on_fail import OnFailAction
    from guardrails.validator_base import Validator

    module_name, _, class_name = entry["use"].partition(":")
    kind = getattr(importlib.import_module(module_name), class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, Validator)):
        raise ValueError(f"{entry['use']} is no validator")
    return kind(on_fail=OnFailAction.NOOP, **entry["settings"])


def open_nemo(settings: Mapping[str, Any]) -> Look:
    """Input and output rails of a NeMo Guardrails configuration."""
    import asyncio

    from nemoguardrails import LLMRails, RailsConfig
    from nemoguardrails.rails.llm.options import RailStatus, RailType

    rails = LLMRails(RailsConfig.from_path(settings["config"]), verbose=False)
    loop = asyncio.new_event_loop()
    types = {"input": RailType.INPUT, "output": RailType.OUTPUT}

    def look(text: str, direction: str, asked: str) -> Answer:
        user = {"role": "user", "content": text if direction == "input" else asked}
        messages = [user] if direction == "input" else [user, {"role": "assistant", "content": text}]
        result = loop.run_until_complete(rails.check_async(messages, rail_types=[types[direction]]))
        if result.status == RailStatus.PASSED:
            return {"found": False}
        modified = result.status == RailStatus.MODIFIED
        rule = "modified" if modified else f"blocked: {result.rail}"
        return {"found": True, "rule": rule, "replacement": result.content if modified else None}

    return look


KINDS: dict[str, tuple[Callable[[Mapping[str, Any]], Look], tuple[str, ...]]] = {
    "presidio": (open_presidio, ("presidio-analyzer", "spacy")),
    "guardrails": (open_guardrails, ("guardrails-ai",)),
    "nemo": (open_nemo, ("nemoguardrails",)),
}


def forbid_network() -> None:
    """Refuse every connection that Python code of this process asks for; sockets of this machine's files stay."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.getaddrinfo", "socket.gethostbyname") or (
            event in ("socket.connect", "socket.sendto") and not isinstance(arguments[1], str | bytes)
        ):
            raise PermissionError("this guard has no network (set network: true where it must)")

    sys.addaudithook(refuse)


def serve(lines: TextIO, out: TextIO) -> None:
    """Read settings, open the package, then judge line by line until the input ends."""
    settings = json.loads(lines.readline())
    if not settings["network"]:
        forbid_network()
    try:
        opener, packages = KINDS[settings["kind"]]
        look = opener(settings)
    except ModuleNotFoundError as error:
        _say(out, {"ready": False, "missing": error.name or "a package"})
        return
    except Exception as error:
        _say(out, {"ready": False, "error": f"{type(error).__name__}: {error}"[:300]})
        return
    _say(out, {"ready": True, "versions": versions_of([*packages, *settings.get("packages", ())])})
    for line in lines:
        question = json.loads(line)
        try:
            answer = look(question["text"], question["direction"], question["asked"])
        except Exception as error:
            # only the kind of the mistake: its words may repeat the text
            answer = {"error": type(error).__name__}
        _say(out, {"id": question["id"], **answer})


def _say(out: TextIO, document: Mapping[str, Any]) -> None:
    out.write(json.dumps(document) + "\n")
    out.flush()


def main() -> None:
    """Keep the real standard output for answers; packages that print get standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with out:
        serve(sys.stdin, out)


if __name__ == "__main__":
    main()
