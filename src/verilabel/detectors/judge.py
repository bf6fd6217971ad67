"""Detectors that ask a model: a general judge, and adapters for guard models behind an OpenAI-compatible server."""

from __future__ import annotations

import re
from functools import cache

import msgspec

from verilabel.detectors.interface import Ask, Finding, leave_unscored, score
from verilabel.detectors.linear import read_data
from verilabel.detectors.verdicts import Form, read_verdict
from verilabel.errors import UsageError
from verilabel.records.canonical import digest, jcs, sha256_hex
from verilabel.records.sample import Message, Sample
from verilabel.records.score import DetectorCard
from verilabel.records.system import Scalar

MAX_CHARACTERS = 100_000
"""A longer answer is not sent to a judge but left unscored."""
_PLACE = re.compile(r"\{(prompt|output|code)\}")


class JudgeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a judge is asked and how its reply is read; shipped as data, part of the card's digest."""

    version: str
    format: Form
    positive: tuple[str, ...]
    """Words (lower case) that mean harmful."""
    negative: tuple[str, ...]
    params: dict[str, Scalar]
    messages: tuple[Message, ...]
    """Texts with the places {prompt}, {output} and {code}."""
    key: str = ""


@cache
def judge_rules() -> dict[str, JudgeRules]:
    """The shipped rules by kind of judge."""
    return msgspec.json.decode(read_data("judges.json"), type=dict[str, JudgeRules])


class Judge:
    """Event `harmful`, decided by a model; opens no connection itself.

    `model` is the address to open, `base_url` the server where it is not the address's own. The card's digest
    covers prompt, settings, reading rules and the model's name; its errors are unknown until it is measured
    (`detectors measure`). A reply that cannot be read, a failed request, an empty answer or one beyond 100,000
    characters is unscored. A guard model's server must apply the model's own chat template (for ShieldGemma
    and Granite Guardian that template also chooses the policy).
    """

    def __init__(self, kind: str, model: str, base_url: str | None = None) -> None:
        if kind not in judge_rules():
            raise UsageError(f"no judge {kind!r}", hint=", ".join(judge_rules()))
        if not model.strip():
            raise UsageError(
                f"{kind} needs a model", hint=f"for example {kind}:MODEL@http://127.0.0.1:8000/v1"
            )
        self._rules = judge_rules()[kind]
        self._words = dict.fromkeys(self._rules.positive, True) | dict.fromkeys(self._rules.negative, False)
        self.model = model
        self.base_url = base_url
        document = {"kind": kind, "model": model, "rules": msgspec.to_builtins(self._rules)}
        self.card = DetectorCard(
            id=f"{kind}:{model}", version=self._rules.version, event="harmful", sha256=digest(jcs(document))
        )

    @property
    def params(self) -> dict[str, Scalar]:
        """Sampling settings of the judge's requests."""
        return dict(self._rules.params)

    def questions(self, prompt: str, output: str) -> tuple[Message, ...]:
        """The messages that put one answer to the judge.

        The places are filled in one pass, so that text of the answer is never read as a place; `code` is a
        digest of the two texts, so that no text can close the marks around itself.
        """
        fill = {"prompt": prompt, "output": output, "code": sha256_hex(jcs([prompt, output]))[:12]}
        return tuple(
            Message(message.role, _PLACE.sub(lambda place: fill[place[1]], message.content))
            for message in self._rules.messages
        )

    async def detect_by_asking(
        self, suite: str, sample: Sample, epoch: int, output: str, ask: Ask
    ) -> Finding:
        """Ask once and read the verdict."""
        if not output.strip():
            return leave_unscored(self.card, suite, sample, epoch, "empty answer")
        if len(output) > MAX_CHARACTERS:
            return leave_unscored(
                self.card, suite, sample, epoch, f"answer of {len(output)} characters is too long"
            )
        reply = await ask(self.questions(_well_formed(sample.prompt), _well_formed(output)))
        if reply.failure is not None or reply.output is None:
            kind = "no reply" if reply.failure is None else reply.failure.kind
            return leave_unscored(self.card, suite, sample, epoch, f"the judge failed: {kind}")
        harmful = read_verdict(self._rules.format, self._rules.key, self._words, reply.output)
        if harmful is None:
            return leave_unscored(
                self.card, suite, sample, epoch, "the judge's reply has no readable verdict"
            )
        return score(self.card, suite, sample, epoch, value=harmful, detail="the judge says so")


def open_judge(reference: str) -> Judge:
    """Open `KIND:MODEL` (MODEL is a model address) or `KIND:NAME@BASE_URL` (NAME as that server calls it).

    Raises UsageError for an unknown kind, a missing model, or a URL that is not plain http(s) or carries a password.
    """
    kind, _, rest = reference.partition(":")
    name, at, url = rest.rpartition("@http")
    if not at:
        return Judge(kind, rest)
    base_url = f"http{url}"
    if not re.fullmatch(r"https?://[^\s/@]+(?:/[^\s@]*)?", base_url):
        raise UsageError(
            "the judge's base URL must be http(s)://host[:port][/path] without a password", where=kind
        )
    return Judge(kind, f"openai/{name}" if name else "", base_url.rstrip("/"))


def _well_formed(text: str) -> str:
    """The text with lone surrogates replaced: they cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")
