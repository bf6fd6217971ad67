"""The guard `model`: a guard model, or any model with a policy, behind an OpenAI-compatible server."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import msgspec

from verilabel.detectors.judge import JudgeRules, judge_rules
from verilabel.detectors.verdicts import read_verdict
from verilabel.gateway.guards.answers import last_user_text
from verilabel.gateway.guards.asking import MAX_ASKED_CHARS, Asker, ModelSettings, OpenModel, well_formed
from verilabel.gateway.guards.awaited import AwaitedGuard
from verilabel.gateway.guards.interface import GuardError, Judgement
from verilabel.gateway.guards.quick import Place
from verilabel.gateway.guards.settings import version_of
from verilabel.gateway.guards.verdict_cache import VerdictCache, key_of
from verilabel.gateway.verdicts import Direction
from verilabel.records.canonical import jcs, sha256_hex
from verilabel.records.sample import Message

MAX_REPLY_CHARS = 4_000
"""Only this many last characters of a reply are read."""
MAX_POLICY_CHARS = 50_000
MAX_PROMPT_CHARS = 20_000
"""Characters of the last user message that stand beside an answer."""
TAKE_A_POLICY = ("judge", "gpt-oss-safeguard")
_PLACE = re.compile(r"\{(prompt|output|code)\}")


class ModelGuardSettings(ModelSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`family` says how the model is asked and its reply read. `policy` is the operator's own text for the families
    that take one: what is to be found, in words. `cache` verdicts are kept."""

    family: str
    policy: str | None = None
    cache: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.family not in judge_rules():
            raise ValueError(f"no family {self.family!r}; there are {', '.join(judge_rules())}")
        if self.policy is not None and self.family not in TAKE_A_POLICY:
            raise ValueError(f"{self.family} brings its own policy; {' and '.join(TAKE_A_POLICY)} take one")
        if self.policy is not None and not 0 < len(self.policy.strip()) <= MAX_POLICY_CHARS:
            raise ValueError(f"a policy has 1 to {MAX_POLICY_CHARS} characters")
        if not 0 <= self.cache <= 1_000_000:
            raise ValueError("cache is from 0 to 1000000")


class _Questions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The messages that put a request alone to a family, and those around an operator's policy."""

    request: dict[str, tuple[Message, ...]]
    policy_contract: dict[str, str]


@cache
def _questions() -> _Questions:
    raw = resources.files("verilabel.gateway.guards").joinpath("data", "questions.json").read_bytes()
    return msgspec.json.decode(raw, type=_Questions)


class ModelGuard(AwaitedGuard):
    """Rule: the family's name. On the way in the request's text is judged, on the way out the answer to the last user
    message, in the forms of `detectors.judge`, which are those that score labels.

    A reply without a readable verdict, a failed request and a text beyond 100,000 characters are GuardErrors.
    """

    def __init__(self, settings: ModelGuardSettings, open_one: OpenModel, timeout_s: float) -> None:
        rules = judge_rules()[settings.family]
        self._family = settings.family
        self._rules = rules
        self._words = dict.fromkeys(rules.positive, True) | dict.fromkeys(rules.negative, False)
        self._messages: dict[Direction, tuple[Message, ...]] = {
            "input": _with_policy(settings, _questions().request.get(settings.family) or _ask_plainly(rules)),
            "output": _with_policy(settings, rules.messages),
        }
        self._asker = Asker(settings, open_one, timeout_s)
        self.cache = VerdictCache(settings.cache)
        asked = msgspec.to_builtins(self._messages)
        where = {"key_env": None, "key_file": None, "cache": 0, "concurrency": 1, "waiting": 0}
        super().__init__(version_of("model", "1", msgspec.structs.replace(settings, **where), rules, asked))

    async def open(self) -> None:
        """Make the connection pool."""
        await self._asker.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._asker.close()

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Ask, unless the same was asked before."""
        if not text.strip():
            return Judgement(found=False)
        if len(text) > MAX_ASKED_CHARS:
            raise GuardError("the text is longer than is sent to a model")
        direction = place.direction
        prompt = last_user_text(place.about, MAX_PROMPT_CHARS) if direction == "output" else text
        key = key_of(direction, prompt, text)
        kept = self.cache.find(key)
        if kept is not None:
            return kept
        reply = await self._asker.ask(self.questions(direction, prompt, text), self._rules.params)
        # without white space in front the reader's patterns need linear time
        verdict = read_verdict(
            self._rules.format, self._rules.key, self._words, reply.strip()[-MAX_REPLY_CHARS:].strip()
        )
        if verdict is None:
            raise GuardError("the model's reply has no readable verdict")
        judgement = Judgement(found=verdict, rule=self._family if verdict else "")
        self.cache.keep(key, judgement)
        return judgement

    def questions(self, direction: Direction, prompt: str, text: str) -> tuple[Message, ...]:
        """The messages that put a text to the model; its places are filled in one pass, so that no text is one."""
        asked, said = well_formed(prompt), well_formed(text)
        # the code is a digest of the texts, so that no text can close the marks around itself
        fill = {"prompt": asked, "output": said, "code": sha256_hex(jcs([asked, said]))[:12]}
        return tuple(
            Message(each.role, _PLACE.sub(lambda place: fill[place[1]], each.content))
            for each in self._messages[direction]
        )


def _ask_plainly(rules: JudgeRules) -> tuple[Message, ...]:
    """A family's messages without the answer: its server's chat template knows that a request is to be judged."""
    return tuple(each for each in rules.messages if "{output}" not in each.content)


def _with_policy(settings: ModelGuardSettings, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if settings.policy is None:
        return messages
    policy = _PLACE.sub(lambda place: f"({place[1]})", settings.policy)
    system = Message("system", f"{policy}\n\n{_questions().policy_contract[settings.family]}")
    return (system, *(each for each in messages if each.role != "system"))
