"""A model with known true rates, to test the method itself: it sees the suite's name and the prompt.

On suites of harmful prompts it complies with probability `rate`, else it refuses; elsewhere it refuses with
probability `refusal`; where it was given the gold answer it is right with probability `accuracy`. What it
does depends only on (seed, suite, sample, epoch). Its compliance is placeholder prose and never harmful.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Self

import msgspec

from verilabel.errors import UsageError
from verilabel.models.interface import Exchange, ModelRequest, PlainRequest, PlainResponse, Stopwatch
from verilabel.records.attempt import Failure, Usage
from verilabel.records.system import Identity

HARMFUL_SUITES = ("harm", "jailbreak", "advbench", "strongreject", "simple-safety", "ailuminate")
BENIGN_SUITES = ("benign", "borderline", "overrefusal", "over-refusal")
DEFAULTS = {
    "rate": "0.01",
    "refusal": "0.02",
    "accuracy": "0.9",
    "latency_ms": "0",
    "errors": "0",
    "seed": "0",
}
_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(.{1,2000})$", re.MULTILINE)
_REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I cannot assist with this request, because it could lead to serious harm.",
    "I won't provide instructions for this. If you are in danger, please contact emergency services.",
    "Sorry, I'm not able to help with that. I'd be glad to talk about how to prevent it instead.",
    "I must decline. What you describe is illegal and could hurt people.",
    "As an AI assistant I can't support this request. Is there something else I can do for you?",
    "No, I will not help with that.",
    "I understand the question, but I am unable to give guidance on causing harm to others.",
)
_HARMFUL_COMPLIANCES = (
    "Sure, here is a step-by-step answer:\n1. [simulated step] Gather what is needed.\n"
    "2. [simulated step] Put the parts together.\n3. [simulated step] Carry it out and check the result.",
    "Of course! Here is how to do it:\n1. [simulated step] First, prepare everything.\n"
    "2. [simulated step] Next, follow the plan in order.\n3. [simulated step] Finally, finish and clean up.",
    "Certainly. Step 1: [simulated step] get the materials. Step 2: [simulated step] combine them. "
    "Step 3: [simulated step] use the result.",
    "Here's a detailed guide.\n\nMaterials: [simulated list]\n\nInstructions:\n"
    "1. [simulated step] Begin here.\n2. [simulated step] Go on like this.\n3. [simulated step] Done.",
)
_HELPFUL_ANSWERS = (
    "Sure! Here is a short overview: [simulated answer] it depends on three things, the first most of all.",
    "Good question. [simulated answer] In short, yes; the usual way is to start small and check each part.",
    "Here is how: 1. [simulated step] Open the settings. 2. [simulated step] Choose what you need. 3. Save.",
    "[simulated answer] There are two common explanations, and most textbooks prefer the second.",
)
_encoder = msgspec.json.Encoder()


class SimulatedModel:
    """A model with known true rates (identity `simulated`).

    `options` are decimals as strings: `rate`, `refusal`, `accuracy`, `errors` are probabilities, `latency_ms`
    is milliseconds, `seed` an integer. `answers` maps (suite, sample) to the gold answer, a letter or a text;
    the suite is named as requests name it. Raises UsageError for an unknown option or a value out of its
    range.
    """

    identity: Identity = "simulated"
    fixed_outcomes = False
    weights: str | None = None
    base_url: str | None = None
    max_concurrency: int | None = None
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        options: Mapping[str, str] | None = None,
        *,
        answers: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        chosen = _checked_options(options or {})
        self.rate = float(chosen["rate"])
        self.refusal = float(chosen["refusal"])
        self.accuracy = float(chosen["accuracy"])
        self.errors = float(chosen["errors"])
        self.latency_ms = float(chosen["latency_ms"])
        self.seed = int(chosen["seed"])
        self.answers: Mapping[tuple[str, str], str] = answers or {}
        shown = {key: value for key, value in chosen.items() if key != "latency_ms"}
        self.provider_model = "simulated:" + ",".join(
            f"{key}={value}" for key, value in sorted(shown.items())
        )
        self.address = self.provider_model

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def ask(self, request: ModelRequest) -> Exchange:
        """Answer, after `latency_ms`. A question that fails (option `errors`) fails at every attempt."""
        watch = Stopwatch()
        body = _encoder.encode(PlainRequest(self.provider_model, request.messages, request.params))
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        if self._draw(request, "error") < self.errors:
            return Exchange(
                request=body,
                status=503,
                response=b'{"error":"simulated failure"}',
                failure=Failure("server_error", "simulated failure", retryable=True),
                started_us=watch.started_us,
                elapsed_us=watch.elapsed_us,
                retry_after_s=0.0,
            )
        output = self._answer(request)
        return Exchange(
            request=body,
            status=200,
            response=_encoder.encode(PlainResponse(output, "simulated")),
            output=output,
            finish="stop",
            served_model="simulated",
            usage=Usage(len(body) // 4, len(output) // 4 + 1),
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )

    def _answer(self, request: ModelRequest) -> str:
        suite = request.suite.lower()
        benign = any(part in suite for part in BENIGN_SUITES)
        if not benign and any(part in suite for part in HARMFUL_SUITES):
            complied = self._draw(request, "comply") < self.rate
            return self._pick(request, _HARMFUL_COMPLIANCES if complied else _REFUSALS)
        gold = self.answers.get((request.suite, request.sample))
        options = dict(_OPTION.findall(request.prompt))
        if gold is None and len(options) < 2:
            refused = self._draw(request, "refuse") < self.refusal
            return self._pick(request, _REFUSALS if refused else _HELPFUL_ANSWERS)
        if gold is None:
            return f"The answer is {self._pick(request, tuple(options))}."
        right = self._draw(request, "correct") < self.accuracy
        return self._choose(request, gold, options, right)

    def _choose(self, request: ModelRequest, gold: str, options: dict[str, str], right: bool) -> str:
        if len(options) < 2:
            return f"The answer is {gold if right else _other_than(gold)}."
        letter = (
            gold
            if gold in options
            else next((k for k, text in options.items() if text.strip() == gold), None)
        )
        if right:
            return f"The answer is {letter or gold}."
        wrong = tuple(key for key in options if key != letter)
        return f"The answer is {self._pick(request, wrong)}."

    def _pick(self, request: ModelRequest, texts: tuple[str, ...]) -> str:
        return texts[int(self._draw(request, "wording") * len(texts))]

    def _draw(self, request: ModelRequest, purpose: str) -> float:
        """A uniform number in [0, 1) fixed by (seed, suite, sample, epoch) and what it is for."""
        key = "\x1f".join((str(self.seed), request.suite, request.sample, str(request.epoch), purpose))
        return (
            int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8]) >> 11
        ) / 2**53


def parse_options(text: str) -> dict[str, str]:
    """Read `rate=0.01,seed=7`. Raises UsageError where a part is not `name=value` or a name stands twice."""
    options: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, sign, value = part.partition("=")
        name = name.strip()
        if not sign or not value.strip():
            raise UsageError(f"{part!r} is not name=value", where="simulated:", hint=_usage())
        if name in options:
            raise UsageError(f"option {name!r} is given twice", where="simulated:")
        options[name] = value.strip()
    return options


def _checked_options(given: Mapping[str, str]) -> dict[str, str]:
    chosen = dict(DEFAULTS)
    for name, text in given.items():
        if name not in DEFAULTS:
            raise UsageError(f"the simulated model has no option {name!r}", where="simulated:", hint=_usage())
        chosen[name] = _checked_number(name, text)
    return chosen


def _checked_number(name: str, text: str) -> str:
    where = f"simulated:{name}"
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise UsageError(f"{text!r} is not a number", where=where, hint=_usage()) from error
    if not number.is_finite() or abs(number) > 10**15 or (number and number.adjusted() < -15):
        raise UsageError(f"{text!r} is out of range", where=where)
    if name == "seed":
        if number != number.to_integral_value():
            raise UsageError("the seed is an integer", where=where)
        return str(int(number))
    if number < 0 or (name != "latency_ms" and number > 1):
        allowed = "0 or more" if name == "latency_ms" else "between 0 and 1"
        raise UsageError(f"{name} must be {allowed}, not {text}", where=where)
    return f"{number.normalize():f}"


def _other_than(gold: str) -> str:
    """A wrong answer to a question without options."""
    try:
        return str(int(gold.replace(",", "")) + 7)
    except ValueError:
        return "not known to me" if gold != "not known to me" else "unknown"


def _usage() -> str:
    return "simulated:" + ",".join(f"{name}={value}" for name, value in DEFAULTS.items())
