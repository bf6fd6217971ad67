"""Runs a plan: asks, keeps every attempt as evidence, scores, and stops when the label is decided.

1. Read the store: what is kept is not asked again.
2. Hand out work in the committed order to as many connections as the provider bears.
3. Every attempt becomes a record before anything is concluded from it; a failed one is retried in the open.
4. Every answer is scored by the stream's detectors; a judge's own questions are attempts too.
5. Findings are counted in the canonical sequence (`schedule`), and the run ends when nothing can change the label,
   the plan is carried out, or the budget is spent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from verilabel.detectors.interface import AskingDetector, Detector, Finding
from verilabel.errors import ModelError, VerilabelError
from verilabel.evaluation.events import Journal
from verilabel.evaluation.ledger import Key, Known, Ledger, read_ledger
from verilabel.evaluation.pace import Pace, backoff_s
from verilabel.evaluation.schedule import OpenMeasures, Schedule, Work
from verilabel.evaluation.spending import Prices, Spending
from verilabel.evidence.counting import Recount, open_recount
from verilabel.evidence.lines import Line
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.records.attempt import Attempt, Failure, Observation, body_fields
from verilabel.records.plan import Budget, Plan
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored
from verilabel.records.system import Scalar
from verilabel.suites.loading import Suite

SYNC_EVERY_S = 0.5
GIVE_UP_AFTER = 20
"""Questions in a row without an answer after which a run stops instead of counting an outage as missing answers.

Failures that are about their sample (filtered, empty, not recorded) count only while nothing was answered at all.
"""


@dataclass(frozen=True)
class Judge:
    """An asking detector and the model it asks."""

    detector: AskingDetector
    model: Model


@dataclass(frozen=True)
class RunInputs:
    """All that a run needs beside the plan: nothing here changes what is counted, only how it is got."""

    plan: Plan
    suites: Mapping[str, Suite]
    """`id@version` to the suite."""
    model: Model
    detectors: Mapping[str, Detector]
    """`id@version` to each detector that decides by itself."""
    params: Mapping[str, Scalar]
    system_prompt: str | None = None
    judges: Mapping[str, Judge] = field(default_factory=dict)
    """`id@version` to each detector that asks a model."""
    connections: int = 20
    prices: Prices | None = None
    budget: Budget | None = None
    """What this run may spend; None: what the plan says. A run that is continued may be given more."""


@dataclass
class _Silence:
    """How long one model, the system's or a judge's, has not answered; a judge's outage is not ended by the system."""

    answered: bool = False
    in_a_row: int = 0
    held: list[Line] = field(default_factory=list)
    """Findings that are missing for want of a judge: kept once it is known that this is no outage."""

    def note_answer(self) -> None:
        """The model is there."""
        self.answered, self.in_a_row = True, 0

    def note_unanswered(self, failure: Failure, model: Model) -> None:
        """Count a question that went unanswered. Raises ModelError where they have become an outage."""
        if failure.is_about_the_sample and self.answered:
            return
        self.in_a_row += 1
        if self.in_a_row >= GIVE_UP_AFTER:
            raise ModelError(
                f"{GIVE_UP_AFTER} questions in a row went unanswered; the last failure: {failure.message}",
                where=_place_of(model),
                hint="the answers so far are kept: run the same command again when the model is back",
            )


class _BudgetSpent(Exception):
    """A judge was not asked, because the budget is spent."""


class Run:
    """One run of a plan over a store. Its attributes may be read at any time to show progress."""

    def __init__(self, inputs: RunInputs, store: Journal, open_measures: OpenMeasures | None) -> None:
        self.plan = inputs.plan
        self._inputs = inputs
        self._store = store
        self.ledger: Ledger = read_ledger(store.records())
        self.kept = len(self.ledger.known)
        self.spending = Spending(inputs.budget or inputs.plan.budget, inputs.prices)
        self.spending.requests = self.ledger.requests
        for usage in self.ledger.usages:
            self.spending.note(usage)
        entries = {name: suite.entries for name, suite in inputs.suites.items()}
        self.recount: Recount = open_recount(inputs.plan, entries)
        most = min(inputs.connections, inputs.model.max_concurrency or inputs.connections)
        self.pace = Pace(most)
        anytime = inputs.plan.design == "anytime"
        self.schedule = Schedule(
            self.recount,
            open_measures=open_measures if anytime else None,
            window=2 * most if anytime else 2**31,
        )
        self._samples: list[dict[str, Sample]] = [
            {sample.id: sample for sample in inputs.suites[stream.stream.suite].samples}
            for stream in self.recount.streams
        ]
        self._progress = asyncio.Event()
        answered = any(known.output is not None for known in self.ledger.known.values())
        self._silence = _Silence(answered)
        self._silence_of_judge = {name: _Silence() for name in inputs.judges}
        self.out_of_budget = False

    async def carry_out(self) -> Recount:
        """Run until the schedule is done or the budget is spent.

        Raises ModelError when the provider refuses for good or has stopped answering; OSError when the store cannot
        be written. In every case what was answered is kept, and the same call on the same store continues.
        """
        workers = min(self.pace.limit, sum(s.length for s in self.recount.streams) or 1)
        syncing = asyncio.create_task(self._sync_now_and_then())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work())
            for silence in self._silence_of_judge.values():
                self._store.append(silence.held)
        except* (VerilabelError, OSError) as failures:
            raise _first(failures) from None
        finally:
            syncing.cancel()
            self._store.sync()
        return self.recount

    async def _work(self) -> None:
        while not self.schedule.done and not self.out_of_budget:
            work = self.schedule.next_work()
            if work is None:
                if self.pace.in_flight == 0 and self._all_delivered():
                    return
                self._progress.clear()
                await self._progress.wait()
                continue
            findings = await self._answer(work)
            if findings is not None:
                self.schedule.deliver(work, findings)
            self._progress.set()
        self._progress.set()

    def _all_delivered(self) -> bool:
        return all(
            not self.schedule.is_open(i) or stream.consumed >= stream.length
            for i, stream in enumerate(self.recount.streams)
        )

    async def _answer(self, work: Work) -> dict[str, bool | None] | None:
        """Findings on one answer (empty where it is missing), or None where the budget ended first."""
        stream = self.recount.streams[work.stream]
        sample_id, epoch = stream.at(work.position)
        key: Key = (stream.stream.suite, sample_id, epoch)
        sample = self._samples[work.stream][sample_id]
        known = self.ledger.known.pop(key, None) or Known()
        if (
            known.output is None
            and not known.missing_for_good
            and not await self._ask(key, sample, known, work)
        ):
            return None
        if known.output is None:
            return {}
        return await self._score(key, sample, known, stream.stream.detectors)

    async def _ask(self, key: Key, sample: Sample, known: Known, work: Work) -> bool:
        """Ask until there is an answer or a final failure; False where the budget ended first."""
        messages = sample.messages
        if self._inputs.system_prompt is not None:
            messages = (Message("system", self._inputs.system_prompt), *messages)
        request = ModelRequest(*key, messages=messages, params=dict(self._inputs.params))
        for tries in range(1, self.plan.max_attempts + 1):
            if not self.spending.reserve():
                self.out_of_budget = True
                return False
            async with self.pace:
                exchange = await self._inputs.model.ask(request)
            known.attempts += 1
            known.output, known.failure = exchange.output, exchange.failure
            self._note_exchange(exchange)
            records = list(_records(key, known.attempts, exchange, None))
            if exchange.output is not None:
                self._silence.note_answer()
                records += self._score_at_once(key, sample, known, work)
                self._store.append(records)
                return True
            self._store.append(records)
            assert exchange.failure is not None, "an exchange is an answer or a failure"
            if exchange.failure.fatal:
                raise ModelError(exchange.failure.message, where=_place_of(self._inputs.model))
            if not exchange.failure.retryable or not self.schedule.is_open(work.stream):
                break
            if tries < self.plan.max_attempts:
                await asyncio.sleep(backoff_s(tries, exchange.retry_after_s))
        if known.failure is not None:
            self._silence.note_unanswered(known.failure, self._inputs.model)
        return True

    def _note_exchange(self, exchange: Exchange) -> None:
        self.spending.note(exchange.usage)
        if exchange.failure is not None and exchange.failure.retryable:
            self.pace.note_push_back()
        else:
            self.pace.note_success()

    def _score_at_once(self, key: Key, sample: Sample, known: Known, work: Work) -> list[Line]:
        """Findings of the detectors that need no model, so that an answer and its scores are one write."""
        records: list[Line] = []
        assert known.output is not None, "only answers are scored"
        for name in self.recount.streams[work.stream].stream.detectors:
            if name in self._inputs.judges:
                continue
            finding = self._inputs.detectors[name].detect(key[0], sample, key[2], known.output)
            known.findings[name] = finding.value if isinstance(finding, Scored) else None
            records.append(finding)
        return records

    async def _score(
        self, key: Key, sample: Sample, known: Known, detectors: tuple[str, ...]
    ) -> dict[str, bool | None] | None:
        for name in detectors:
            if name in known.findings:
                continue
            assert known.output is not None, "only answers are scored"
            if (judge := self._inputs.judges.get(name)) is not None:
                ask = partial(self._ask_judge, key, known, judge)
                try:
                    finding = await judge.detector.detect_by_asking(key[0], sample, key[2], known.output, ask)
                except _BudgetSpent:
                    self.out_of_budget = True
                    return None
            else:
                finding = self._inputs.detectors[name].detect(key[0], sample, key[2], known.output)
            self._keep_finding(name, finding)
            known.findings[name] = finding.value if isinstance(finding, Scored) else None
        return known.findings

    def _keep_finding(self, name: str, finding: Finding) -> None:
        silence = self._silence_of_judge.get(name, self._silence)
        silence.held.append(finding)
        if isinstance(finding, Unscored) and silence.in_a_row:
            return
        self._store.append(silence.held)
        silence.held.clear()

    async def _ask_judge(
        self, key: Key, known: Known, judge: Judge, messages: tuple[Message, ...]
    ) -> Exchange:
        name = judge.detector.card.name
        request = ModelRequest(*key, messages=messages, params=judge.detector.params)
        for tries in range(1, self.plan.max_attempts + 1):
            if not self.spending.reserve():
                raise _BudgetSpent
            async with self.pace:
                exchange = await judge.model.ask(request)
            number = known.judge_attempts[name] = known.judge_attempts.get(name, 0) + 1
            self._store.append(_records(key, number, exchange, name))
            self._note_exchange(exchange)
            if exchange.failure is None or not exchange.failure.retryable:
                break
            if tries < self.plan.max_attempts:
                await asyncio.sleep(backoff_s(tries, exchange.retry_after_s))
        if exchange.failure is None:
            self._silence_of_judge[name].note_answer()
        elif exchange.failure.fatal:
            raise ModelError(exchange.failure.message, where=_place_of(judge.model))
        else:
            self._silence_of_judge[name].note_unanswered(exchange.failure, judge.model)
        return exchange

    async def _sync_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            await asyncio.to_thread(self._store.sync)


def _records(key: Key, number: int, exchange: Exchange, judge: str | None) -> tuple[Line, Line]:
    attempt = Attempt(
        *key,
        attempt=number,
        request=exchange.request.decode("utf-8"),
        judge=judge,
        status=exchange.status,
        **body_fields(exchange.response),  # type: ignore[arg-type]
        output=exchange.output,
        finish=exchange.finish,
        served_model=exchange.served_model,
        fingerprint=exchange.fingerprint,
        usage=exchange.usage,
        failure=exchange.failure,
    )
    observation = Observation(
        *key,
        attempt=number,
        started_us=exchange.started_us,
        elapsed_us=exchange.elapsed_us,
        judge=judge,
        headers=exchange.headers,
    )
    return attempt, observation


def _place_of(model: Model) -> str:
    return model.address if model.base_url is None else f"{model.address} at {model.base_url}"


def _first(failures: BaseExceptionGroup[VerilabelError | OSError]) -> VerilabelError | OSError:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, VerilabelError | OSError), "except* selects these"
    return error
