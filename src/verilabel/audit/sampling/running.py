"""Carry a sample out: every detector and judge on every drawn document, resumable, with failures told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from verilabel.audit.sampling.ledger import Ledger
from verilabel.audit.sampling.measurers import ANY_HAZARD, Measurer, Said
from verilabel.audit.sampling.passages import PASSAGE_CHARACTERS, Document, Passage, cut_passage
from verilabel.audit.sampling.result import (
    RULE,
    Measured,
    Place,
    SampledKind,
    SampleResult,
    Unanswered,
)
from verilabel.detectors.interface import Ask, AskingDetector, asks_a_model
from verilabel.errors import ModelError, UsageError
from verilabel.models.address import open_model
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.records.attempt import Failure
from verilabel.records.sample import Message

NOT_READ = "the document could not be read again"
MAX_ATTEMPTS = 3
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0
DEFAULT_CONCURRENCY = 8
CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English."""

OpenJudge = Callable[[AskingDetector], Model]
Tell = Callable[[str, int, int], None]
"""Is told the reference of a detector, how many documents it is through with, and how many there are."""


@dataclass(frozen=True)
class Cost:
    """What one judge will be asked, at most: failures that are tried again come on top."""

    reference: str
    requests: int
    known: int
    """Answers that the ledger has."""
    input_tokens: int
    """By a rule of thumb: 4 characters a token."""
    output_tokens: int


class FatalFailure(ModelError):
    """A judge cannot be asked at all: every further question would fail in the same way."""


def open_named_judge(judge: AskingDetector) -> Model:
    """The model that a judge names, with the key of its provider's own variable."""
    return open_model(judge.model, base_url=judge.base_url)


def cut_passages(documents: Iterable[Document]) -> list[Passage]:
    """What is looked at of each document, sorted by shard and row; no whole text is kept."""
    return sorted((cut_passage(document) for document in documents), key=lambda p: (p.shard, p.row))


def forecast(measurers: Sequence[Measurer], passages: Sequence[Passage], work: Path) -> list[Cost]:
    """What the judges among the measurers will be asked, before any is. Raises what opening the ledger raises."""
    costs = []
    with Ledger(work) as ledger:
        for measurer in measurers:
            judge = measurer.detector
            if not asks_a_model(judge):
                continue
            texts = [p.text for p in passages if p.text is not None and p.text.strip()]
            missing = [text for text in texts if ledger.look_up(measurer.card.digest, text) is None]
            overhead = sum(len(m.content) for m in _questions(measurer, ""))
            most = judge.params.get("max_tokens", 0)
            costs.append(
                Cost(
                    measurer.reference,
                    len(missing),
                    len(texts) - len(missing),
                    sum(len(text) + overhead for text in missing) // CHARACTERS_PER_TOKEN,
                    len(missing) * int(most or 0),
                )
            )
    return costs


def _questions(measurer: Measurer, text: str) -> tuple[Message, ...]:
    questions = getattr(measurer.detector, "questions", None)
    return questions("", text) if questions else ()


def describe_cost(cost: Cost) -> str:
    """A sentence for people, before they are asked to pay."""
    return (
        f"{cost.reference}: {cost.requests:,} questions ({cost.known:,} answers are kept already), about"
        f" {cost.input_tokens:,} tokens in and at most {cost.output_tokens:,} out"
    )


async def run_sample(
    measurers: Sequence[Measurer],
    passages: Sequence[Passage],
    *,
    population: int,
    wanted: int,
    work: Path,
    open_judge: OpenJudge = open_named_judge,
    concurrency: int = DEFAULT_CONCURRENCY,
    tell: Tell | None = None,
) -> SampleResult:
    """Ask every measurer about every passage (from `cut_passages`) and count.

    `population` is the number of documents that could be read, `wanted` the size the sample was drawn with, `work` a
    folder for the ledger: broken off and run again, it asks for nothing twice. At most `concurrency` questions are in
    flight; a failure that may pass is tried three times, then the document has no answer. Raises UsageError for a
    sample that is not sorted or larger than the population, FatalFailure where a judge's key or name is refused, and
    what opening its model raises.
    """
    places = [(passage.shard, passage.row) for passage in passages]
    if places != sorted(set(places)) or len(places) > population or len(places) > wanted or concurrency < 1:
        raise UsageError(f"no sample of {wanted} from {population} documents", hint="cut_passages sorts it")
    measured = []
    with Ledger(work) as ledger:
        for measurer in measurers:
            said = await _ask_about_all(measurer, passages, ledger, open_judge, concurrency, tell)
            measured.append(_count(measurer, said))
    looked_at = [len(passage.text) for passage in passages if passage.text is not None]
    return SampleResult(
        rule=RULE,
        population=population,
        wanted=wanted,
        documents=tuple(Place(*place) for place in places),
        cut=sum(passage.characters > PASSAGE_CHARACTERS for passage in passages),
        characters=sum(passage.characters for passage in passages),
        looked_at=sum(looked_at),
        measured=tuple(measured),
    )


async def _ask_about_all(
    measurer: Measurer,
    passages: Sequence[Passage],
    ledger: Ledger,
    open_judge: OpenJudge,
    concurrency: int,
    tell: Tell | None,
) -> list[Said]:
    gate = asyncio.Semaphore(concurrency)
    card = measurer.card.digest
    done = 0

    async def look_at(passage: Passage, ask: Ask | None) -> Said:
        nonlocal done
        async with gate:
            said = await _look_at(measurer, passage.text, ledger, card, ask)
        done += 1
        if tell is not None:
            tell(measurer.reference, done, len(passages))
        return said

    async with _asking(measurer, open_judge) as ask:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(look_at(passage, ask)) for passage in passages]
        except* FatalFailure as failures:
            raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _look_at(measurer: Measurer, text: str | None, ledger: Ledger, card: str, ask: Ask | None) -> Said:
    if text is None:
        return Said(reason=NOT_READ)
    known = ledger.look_up(card, text)
    if known is not None:
        return known
    if ask is None:
        await asyncio.sleep(0)
        return measurer.measure(text)
    said = await measurer.measure_by_asking(text, ask)
    if not said.reason:
        ledger.keep(card, text, said)
    return said


@asynccontextmanager
async def _asking(measurer: Measurer, open_judge: OpenJudge) -> AsyncIterator[Ask | None]:
    """How a judge's model is asked; None for a detector that decides alone."""
    judge = measurer.detector
    if not asks_a_model(judge):
        yield None
        return
    async with open_judge(judge) as model:

        async def ask(messages: tuple[Message, ...]) -> Exchange:
            request = ModelRequest("audit-sample", "passage", 1, messages, judge.params)
            return await _ask_with_patience(model, request, measurer.reference)

        yield ask


async def _ask_with_patience(model: Model, request: ModelRequest, reference: str) -> Exchange:
    attempt = 0
    while True:
        attempt += 1
        exchange = await model.ask(request)
        failure = exchange.failure
        if failure is not None and failure.fatal:
            raise _fatal(failure, reference)
        if failure is None or not failure.retryable or attempt >= MAX_ATTEMPTS:
            return exchange
        asked_for = exchange.retry_after_s
        wait = FIRST_WAIT_S * 2 ** (attempt - 1) if asked_for is None else asked_for
        await asyncio.sleep(min(MAX_WAIT_S, wait))


def _fatal(failure: Failure, reference: str) -> FatalFailure:
    return FatalFailure(
        f"the judge cannot be asked: {failure.kind}",
        where=reference,
        hint="answers so far are kept: mend it and run the same command again",
    )


def _count(measurer: Measurer, said: Sequence[Said]) -> Measured:
    silent = tuple(Unanswered(index, each.reason) for index, each in enumerate(said) if each.reason)
    kinds = []
    for kind in measurer.kinds:
        where = tuple(index for index, each in enumerate(said) if not each.reason and kind in each.kinds)
        known = len(measurer.kinds) == 1 or kind == ANY_HAZARD
        kinds.append(SampledKind(kind, len(where), where, measurer.card.errors if known else ()))
    judge = measurer.detector
    return Measured(
        reference=measurer.reference,
        card=measurer.card,
        card_sha256=measurer.card.digest,
        model=measurer.model,
        params=dict(judge.params) if asks_a_model(judge) else {},
        asked=len(said),
        answered=len(said) - len(silent),
        unanswered=silent,
        kinds=tuple(kinds),
    )
