"""Carrying out the tests of a policy with the guards that would hold in production."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.gateway.access.interface import NOBODY, Holder
from verilabel.gateway.assembling import open_guards
from verilabel.gateway.guards.interface import Conversation, SpanGuard
from verilabel.gateway.pipeline.chain import Chain, OpenGuard
from verilabel.gateway.pipeline.gating import change_text
from verilabel.gateway.pipeline.inspection import Inspection, Text, slots_as_texts
from verilabel.gateway.policy.conditions import Condition, ConditionError
from verilabel.gateway.policy.document import ActionWord, Policy, PolicyTest
from verilabel.gateway.policy.facts import Facts, read_label
from verilabel.gateway.policy.trying import Inspect, Outcome
from verilabel.gateway.verdicts import Action
from verilabel.gateway.wire.catalogue import DIALECTS

_CHAT = DIALECTS["/v1/chat/completions"]


class Trial:
    """A policy whose guards are open, for its tests. Use it as a context; `inspect` carries one test out."""

    def __init__(self, policy: Policy, where: str, folder: Path) -> None:
        self._policy = policy
        self._where = where
        self._folder = folder
        self._runner = asyncio.Runner()
        self._opened: list[OpenGuard] = []
        self._rules: list[tuple[Any, Condition]] = []

    def __enter__(self) -> Inspect:
        try:
            guards = self._runner.run(open_guards(self._policy, self._where, self._folder, self._opened))
            self._rules = [
                (rule, Condition(rule.when, f"{self._where} $.rules[{i}].when"))
                for i, rule in enumerate(self._policy.rules)
            ]
        except BaseException:
            self.__exit__()
            raise
        self._input, self._output = Chain("input", guards), Chain("output", guards)
        return self.inspect

    def __exit__(self, *_: object) -> None:
        for each in self._opened:
            if not isinstance(each.guard, SpanGuard):
                self._runner.run(each.guard.close())
        self._runner.close()

    def inspect(self, test: PolicyTest) -> Outcome:
        """Carry out one test. Raises VerilabelError for one that cannot be."""
        return self._runner.run(self._inspect(test))

    async def _inspect(self, test: PolicyTest) -> Outcome:
        if test.request is not None:
            return await self._try_request(test)
        text, chain = (test.input, self._input) if test.input is not None else (test.output, self._output)
        if text is None:
            raise MalformedInput("a test has an input, an output or a request")
        inspection = Inspection(chain, self._mask(chain, self._facts(test, {})))
        redacted = inspection.redact(text, test.field)
        judged = Text(redacted, test.field, 0)
        about = Conversation(messages=(("user", text),) if test.input is not None else ())
        found = await inspection.judge([judged], about)
        changed = change_text(found, judged)
        return _outcome(inspection, redacted if changed is None else changed)

    async def _try_request(self, test: PolicyTest) -> Outcome:
        body = copy.deepcopy(test.request)
        assert body is not None
        body.setdefault("model", "test")
        if (refusal := _CHAT.check(body)) is not None:
            raise MalformedInput(refusal.message, where=refusal.where)
        facts = self._facts(test, _CHAT.describe(body))
        inspection = Inspection(self._input, self._mask(self._input, facts))
        for rule, condition in self._rules:
            if _holds(condition, facts, if_failed=rule.on_error == "block"):
                action = Action[rule.action.upper()]
                if rule.mode == "enforce" and action > inspection.worst:
                    inspection.worst = action
                inspection.named.append(rule.id)
        if self._policy.images == "block" and _CHAT.count_media(body):
            inspection.worst = Action.BLOCK
            inspection.named.append("images")
        slots = _CHAT.input_slots(body)
        await inspection.redact_slots(slots)
        texts = slots_as_texts(slots)
        await inspection.judge(texts, Conversation(messages=tuple((slot.role, slot.text) for slot in slots)))
        return _outcome(inspection, texts[-1].text if texts else None)

    def _facts(self, test: PolicyTest, described: dict[str, Any]) -> Facts:
        context = test.context
        plain = {
            "model": "test",
            "stream": False,
            "media": 0,
            "tools": [],
            "turns": 1,
            "system": "",
            "params": {},
        }
        plain |= {"end_user": None, "route": str(described.get("model", "test"))}
        try:
            key = Holder(
                **{"id": NOBODY.id, "name": NOBODY.name, "user": NOBODY.user, **context.get("key", {})}
            )
            now = datetime.fromisoformat(context["now"]) if "now" in context else datetime.now(UTC)
        except (TypeError, ValueError) as error:
            raise MalformedInput(f"the test's context is not one: {error}") from None
        return Facts(
            request={**plain, **described, **context.get("request", {})},
            key=key,
            now=now,
            label=read_label(context.get("label")),
        )

    def _mask(self, chain: Chain, facts: Facts) -> int:
        mask = 0
        for i, each in enumerate(chain.conditional):
            if each.condition is None or _holds(each.condition, facts, if_failed=True):
                mask |= 1 << i
        return mask if chain.conditional else -1


def _holds(condition: Condition, facts: Facts, *, if_failed: bool) -> bool:
    try:
        return condition.holds(facts)
    except ConditionError:
        return if_failed


def _outcome(inspection: Inspection, text: str | None) -> Outcome:
    word: ActionWord = inspection.worst.word  # type: ignore[assignment]
    rules = [f"{each.guard}/{each.rule}" for each in inspection.findings] + [
        each.rule for each in inspection.findings
    ]
    return Outcome(word, (*inspection.named, *rules), text)
