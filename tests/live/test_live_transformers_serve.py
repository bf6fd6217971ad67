"""Whole labels of a real language model behind `transformers serve`, whose responses carry ids and times."""

from __future__ import annotations

import pytest

from evaluation.conftest import Workplace
from live.conftest import QUESTIONS, Server
from live.serving import Served, attempts_of, differences, verified
from verilabel.evidence.layout import EVIDENCE

PARAMS = ("--param", "max_tokens=24")
DATED = {".response.id", ".response.created"}
"""What this server writes anew into every response."""


def tiny_at(server: Server, scheme: str = "vllm") -> Served:
    return Served(("--model", f"{scheme}/tiny", "--base-url", f"{server.url}/v1", *PARAMS))


@pytest.mark.parametrize("design", ["fixed", "anytime"])
def test_a_killed_run_resumes_and_only_the_servers_ids_and_times_differ(
    workplace: Workplace, transformers_serve: Server, design: str
) -> None:
    """The Merkle root covers the exact bytes, so the two roots differ; everything that was said and decided agrees."""
    served = tiny_at(transformers_serve)
    done = served.label(workplace, "whole.bundle", design=design)
    assert 0 == done.returncode, done.stderr
    kept = served.label_and_kill(workplace, "b.bundle", after=6, design=design)
    done = served.label(workplace, "b.bundle", design=design)
    assert 0 == done.returncode, done.stderr
    whole, resumed = verified(workplace, "whole.bundle"), verified(workplace, "b.bundle")

    answered = [line for line in kept if line.startswith((b'{"kind":"attempt"', b'{"kind":"score"'))]
    sealed = set((workplace.folder / "b.bundle" / EVIDENCE).read_bytes().split(b"\n"))
    assert set(answered) <= sealed  # what was answered before the kill was not asked again
    pairs = attempts_of(workplace, "whole.bundle"), attempts_of(workplace, "b.bundle")
    assert QUESTIONS == len(pairs[1])
    assert DATED == differences(*pairs)
    assert whole["evidence_root"] != resumed["evidence_root"]
    assert whole["label"] == resumed["label"]
    assert ["V2", "V2"] == [whole["level"], resumed["level"]]


def test_the_answers_are_the_models_and_every_one_of_them_is_rescored(
    workplace: Workplace, transformers_serve: Server
) -> None:
    done = tiny_at(transformers_serve).label(workplace, "b.bundle")
    assert 0 == done.returncode, done.stderr
    found = verified(workplace, "b.bundle")
    assert "rescored" in found["flags"]
    assert QUESTIONS == found["rescoring"]["checked"]["scores"]
    attempts = attempts_of(workplace, "b.bundle")
    assert len({attempt["output"] for attempt in attempts}) > QUESTIONS // 2
    assert {"tiny@main"} == {attempt["served_model"] for attempt in attempts}
    assert all(attempt["usage"]["output_tokens"] == 24 for attempt in attempts)


def test_the_gate_passes_what_the_label_grants_and_fails_what_it_does_not(
    workplace: Workplace, transformers_serve: Server
) -> None:
    assert 0 == tiny_at(transformers_serve).label(workplace, "b.bundle").returncode
    assert 0 == workplace.run("gate", "b.bundle", "--min", "L1").returncode
    failed = workplace.run("gate", "b.bundle", "--min", "L2")
    assert 1 == failed.returncode
    assert "L2 is required" in failed.stdout


@pytest.mark.parametrize("scheme", ["openai", "openai-responses"])
def test_openais_own_addresses_reach_it_in_both_dialects(
    workplace: Workplace, transformers_serve: Server, scheme: str
) -> None:
    """This server streams the responses dialect unless it is told not to."""
    done = tiny_at(transformers_serve, scheme).label(workplace, "b.bundle", "--limit", "12")
    assert 0 == done.returncode, done.stderr
    found = verified(workplace, "b.bundle")
    assert {"requests": 12, "answers": 12, "scores": 12}.items() <= found["rescoring"]["checked"].items()
    assert "rescored" in found["flags"]


def test_a_parameter_that_the_server_refuses_stops_the_run_and_its_words_are_shown(
    workplace: Workplace, transformers_serve: Server
) -> None:
    done = tiny_at(transformers_serve).label(workplace, "b.bundle", "--param", "not_a_field=1")
    assert 5 == done.returncode
    assert "20 questions in a row went unanswered" in done.stderr
    assert "Unexpected fields" in done.stderr
    assert not (workplace.folder / "b.bundle").exists()
