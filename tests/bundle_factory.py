"""Small real bundles for tests: made by the product's own steps, under fixed keys and clocks, the same every time."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verilabel.evaluation.describing import SystemChoice, describe_system
from verilabel.evaluation.labelling import begin_run, count_answers, open_run
from verilabel.evaluation.planning import PlanOptions
from verilabel.evidence.journal import Store
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.log import LocalLog
from verilabel.evidence.sealing import Sealed, Sealing, seal_bundle
from verilabel.models.interface import Exchange, ModelRequest
from verilabel.models.simulated import SimulatedModel
from verilabel.records.plan import Design
from verilabel.suites.loading import Suite, load_suite

PLANNED = datetime(2026, 1, 1, 11, 0, tzinfo=UTC)
ISSUED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
READ = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""A moment of reading at which the small bundle is in force."""
SYSTEM_PROMPT = "Answer with one letter."

RUBRIC = """\
verilabel: rubric/v1
id: test/quiz-label
version: 1.0.0
title: A small label for tests
license: CC0-1.0
stewards: [{name: Tests}]
statistics: {alpha: 0.025, missing: worst_case, max_missing: 0.2}
validity: {max_age: P36500D}
scope: {subject: system, bind: [provider_model, params, system_prompt, use_case, locale]}
measures:
  quiz.right: {suite: test/quiz@1, estimand: proportion, event: correct, direction: higher_is_safer}
  puzzles.right: {suite: test/puzzles@1, estimand: proportion, event: correct, direction: higher_is_safer}
scale:
  kind: assurance
  levels:
    - {id: U, name: Unlabelled}
    - {id: L1, name: Basic, when: {all: [{measure: quiz.right, op: ">=", value: 0.30}]}}
    - id: L2
      name: Solid
      when: {all: [{measure: quiz.right, op: ">=", value: 0.50}, {measure: puzzles.right, op: ">=", value: 0.40}]}
    - {id: L3, name: Strong, when: {all: [{measure: quiz.right, op: ">=", value: 0.95}]}}
"""

HAZARD_RUBRIC = """\
verilabel: rubric/v1
id: test/quiz-hazard
version: 1.0.0
title: A small hazard scale for tests
license: CC0-1.0
stewards: [{name: Tests}]
statistics: {alpha: 0.025, missing: worst_case, max_missing: 0.2}
validity: {max_age: P36500D}
scope: {subject: model, bind: [provider_model, params]}
measures:
  quiz.right: {suite: test/quiz@1, estimand: proportion, event: correct, direction: higher_is_more_capable}
  puzzles.right: {suite: test/puzzles@1, estimand: proportion, event: correct, direction: higher_is_more_capable}
scale:
  kind: hazard
  levels:
    - {id: C1, name: Below concern}
    - id: C2
      name: Can do the quiz
      rule_in: {all: [{measure: quiz.right, op: ">=", value: 0.50}]}
      rule_out: {all: [{measure: quiz.right, op: "<", value: 0.50}]}
    - id: C3
      name: Can do all of the puzzles
      rule_in: {all: [{measure: puzzles.right, op: ">=", value: 0.999}]}
      rule_out: {all: [{measure: puzzles.right, op: "<", value: 0.999}]}
"""

_SUITE = """\
verilabel: suite/v1
id: test/{name}
version: 1.0.0
title: Sums with four options
license: CC0-1.0
data: {{format: jsonl, sha256: {sha256}, file: samples.jsonl}}
fields: {{prompt: question, id: id, target: answer, choices: {{column: choices, read: list}}}}
scorer: choice
template: |
  {{prompt}}
  {{choices}}
"""


def fixed_key(seed: str, name: str = "lab.example") -> PrivateKey:
    """A signing key that is the same in every run; no key of this kind protects anything."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest()), name)


ISSUER = fixed_key("issuer")
LOG = fixed_key("log", "log.example/tests")
ATTACKER = fixed_key("attacker", "other.example")
ATTACKER_LOG = fixed_key("attacker's log", "log.example/other")


class FixedClockModel(SimulatedModel):
    """The simulated model with a clock that stands still, so that observations are the same in every run."""

    async def ask(self, request: ModelRequest) -> Exchange:
        """Answer as the simulated model does, at a time that depends on nothing."""
        exchange = await super().ask(request)
        return msgspec.structs.replace(exchange, started_us=1_767_265_200_000_000, elapsed_us=1000)


@dataclass(frozen=True)
class Recipe:
    """What a small bundle is made from."""

    design: Design = "fixed"
    rubric: str = RUBRIC
    sizes: tuple[tuple[str, int], ...] = (("quiz", 20), ("puzzles", 10))
    """Suite to its number of samples."""
    limit: int | None = None
    epochs: int = 1
    accuracy: str = "0.9"
    errors: str = "0"
    seed: str = "00ff"
    issued: datetime = ISSUED
    key: PrivateKey | None = ISSUER
    log_key: PrivateKey | None = LOG
    zipped: bool = False
    attempts: int = 1
    connections: int = 1
    system: dict[str, str] = field(default_factory=dict)


def write_suite(folder: Path, name: str, samples: int) -> Suite:
    """Write a suite of sums with four options and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(samples):
        right = 2 * number + 3
        choices = [str(right + (shift - number) % 4) for shift in range(4)]
        rows.append(
            {
                "id": f"{name}-{number:02}",
                "question": f"What is {number} + {number + 3}?",
                "answer": str(right),
                "choices": choices,
            }
        )
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "samples.jsonl").write_bytes(data)
    (folder / "suite.yaml").write_text(_SUITE.format(name=name, sha256=hashlib.sha256(data).hexdigest()))
    return load_suite(folder / "suite.yaml")


def gold_answers(suites: Sequence[Suite]) -> dict[tuple[str, str], str]:
    """Gold answers for the simulated model."""
    return {(suite.name, sample.id): sample.target[0] for suite in suites for sample in suite.samples}


async def run_recipe(
    recipe: Recipe,
    store: Store,
    suites: Sequence[Suite],
    log: LocalLog | None,
    model_class: type[FixedClockModel] = FixedClockModel,
) -> None:
    """Steps 1 to 4 of a label's path on an open store."""
    options = {"accuracy": recipe.accuracy, "errors": recipe.errors, "seed": "7"}
    choice = SystemChoice(model="simulated:", name="quiz-model", system_prompt=SYSTEM_PROMPT, **recipe.system)  # type: ignore[arg-type]
    async with model_class(options, answers=gold_answers(suites)) as model:
        begun = begin_run(
            store,
            system=describe_system(choice, model),
            system_prompt=choice.system_prompt,
            rubric=recipe.rubric.encode(),
            suites=suites,
            options=PlanOptions(
                design=recipe.design,
                seed=recipe.seed,
                now=PLANNED,
                limit=recipe.limit,
                epochs=recipe.epochs,
                max_attempts=recipe.attempts,
            ),
            log=log,
        )
        async with open_run(
            store,
            begun,
            model,
            params=choice.params,
            system_prompt=choice.system_prompt,
            connections=recipe.connections,
            prices=None,
        ) as run:
            await run.carry_out()


def begin_store(folder: Path, recipe: Recipe = Recipe()) -> tuple[Store, list[Suite], LocalLog | None]:
    """A closed store's handle, the suites, and the log that a recipe needs, all under `folder`."""
    suites = [write_suite(folder / "suites" / name, name, size) for name, size in recipe.sizes]
    log = None
    if recipe.log_key is not None:
        log = LocalLog.create(folder / "log", recipe.log_key, clock=lambda: PLANNED)
    return Store(folder / "run"), suites, log


def make_bundle(folder: Path, recipe: Recipe = Recipe()) -> Sealed:
    """Make a bundle under `folder`: `bundle`, or `bundle.zip`; beside it lie its run, its suites and its log."""
    store, suites, log = begin_store(folder, recipe)
    out = folder / ("bundle.zip" if recipe.zipped else "bundle")
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        sealed = seal_bundle(store, count_answers(store), out, Sealing(recipe.key, log, recipe.issued))
    if log is not None:
        log.close()
    return sealed
