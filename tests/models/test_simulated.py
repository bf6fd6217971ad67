"""The simulated model: its rates are what it says, its seed fixes its answers, its options are checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from verilabel.errors import UsageError
from verilabel.models.address import open_model
from verilabel.models.interface import ModelRequest
from verilabel.models.simulated import SimulatedModel, parse_options

Ask = Callable[..., ModelRequest]
QUESTION = "Which one?\n\nA) red\nB) green\nC) blue\nD) none"


async def _outputs(model: SimulatedModel, requests: list[ModelRequest]) -> list[str]:
    return [(await model.ask(request)).output or "" for request in requests]


def _is_plausible(events: int, trials: int, rate: float) -> bool:
    return bool(binomtest(events, trials, rate).pvalue > 1e-6)


@pytest.mark.parametrize("rate", ["0", "0.05", "0.5", "1"])
async def test_it_complies_with_harmful_prompts_at_its_rate(rate: str, ask: Ask) -> None:
    model = SimulatedModel({"rate": rate, "seed": "1"})
    requests = [ask(suite="core/harm-direct@1.0.0", sample=f"s{i}") for i in range(2000)]

    complied = sum("simulated step" in output for output in await _outputs(model, requests))

    assert _is_plausible(complied, 2000, float(rate))


async def test_it_refuses_benign_prompts_at_its_refusal_rate(ask: Ask) -> None:
    model = SimulatedModel({"refusal": "0.1", "rate": "1", "seed": "2"})
    requests = [ask(suite="core/benign-borderline@1.0.0", sample=f"s{i}") for i in range(2000)]

    refused = sum(
        "simulated" not in output and "Here is how" not in output
        for output in await _outputs(model, requests)
    )

    assert _is_plausible(refused, 2000, 0.1)


async def test_it_is_right_as_often_as_its_accuracy_says(ask: Ask) -> None:
    answers = {("core/factual@1", f"s{i}"): "ABCD"[i % 4] for i in range(2000)}
    model = SimulatedModel({"accuracy": "0.8", "seed": "3"}, answers=answers)
    requests = [ask(QUESTION, suite="core/factual@1", sample=f"s{i}") for i in range(2000)]

    outputs = await _outputs(model, requests)

    right = sum(f"is {'ABCD'[i % 4]}." in output for i, output in enumerate(outputs))
    assert _is_plausible(right, 2000, 0.8)
    assert all(output[-2] in "ABCD" for output in outputs)


async def test_it_names_the_letter_of_a_gold_answer_given_as_text(ask: Ask) -> None:
    model = SimulatedModel({"accuracy": "1"}, answers={("s@1", "s1"): "green"})

    assert await _outputs(model, [ask(QUESTION, suite="s@1")]) == ["The answer is B."]


async def test_a_wrong_answer_is_never_the_gold_one(ask: Ask) -> None:
    answers = {("s@1", f"s{i}"): "C" for i in range(200)} | {("s@1", "n"): "42", ("s@1", "t"): "Paris"}
    model = SimulatedModel({"accuracy": "0"}, answers=answers)

    letters = await _outputs(model, [ask(QUESTION, suite="s@1", sample=f"s{i}") for i in range(200)])
    number, text = await _outputs(
        model, [ask("6*7?", suite="s@1", sample="n"), ask("Where?", suite="s@1", sample="t")]
    )

    assert {"A", "B", "D"} == {output[-2] for output in letters}
    assert "42" not in number
    assert "Paris" not in text


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 9), st.integers(0, 2**40))
async def test_an_answer_depends_on_seed_suite_sample_and_epoch_alone(
    suite: str, sample: str, epoch: int, seed: int
) -> None:
    request = ModelRequest(suite, sample, epoch, (), {})
    first, second = (SimulatedModel({"rate": "0.5", "refusal": "0.5", "seed": str(seed)}) for _ in range(2))
    await first.ask(ModelRequest("other", "x", 1, (), {}))

    assert (await first.ask(request)).output == (await second.ask(request)).output


async def test_another_epoch_and_another_seed_draw_again(ask: Ask) -> None:
    requests = [ask(suite="harm@1", sample=f"s{i}", epoch=epoch) for epoch in (1, 2) for i in range(100)]
    one = await _outputs(SimulatedModel({"rate": "0.5", "seed": "1"}), requests)
    two = await _outputs(SimulatedModel({"rate": "0.5", "seed": "2"}), requests)

    assert one[:100] != one[100:]
    assert one != two


async def test_questions_fail_at_the_error_rate_and_may_be_retried_at_once(ask: Ask) -> None:
    model = SimulatedModel({"errors": "0.25"})
    exchanges = [await model.ask(ask(sample=f"s{i}")) for i in range(2000)]
    failed = [exchange for exchange in exchanges if exchange.failure is not None]

    assert _is_plausible(len(failed), 2000, 0.25)
    assert {("server_error", True, 0.0)} == {
        (e.failure.kind, e.failure.retryable, e.retry_after_s) for e in failed if e.failure is not None
    }


@pytest.mark.parametrize(
    "text",
    [
        "rate",
        "rate=",
        "rate=x",
        "rate=2",
        "rate=-0.1",
        "rate=nan",
        "speed=1",
        "seed=1.5",
        "rate=0.1,rate=0.2",
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_model(f"simulated:{text}")

    assert caught.value.where is not None
    assert caught.value.where.startswith("simulated:")


def test_the_system_names_every_option_that_changes_an_answer_and_only_those() -> None:
    short = open_model("simulated:rate=0.010,latency_ms=50")

    assert short.provider_model == "simulated:accuracy=0.9,errors=0,rate=0.01,refusal=0.02,seed=0"
    assert short.provider_model == SimulatedModel(parse_options("rate=0.01")).provider_model
