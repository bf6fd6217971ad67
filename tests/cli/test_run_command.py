"""`verilabel run`: steps 1 to 4 on a store that goes on where it was stopped."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from servers.answering import answering_server
from small_runs import Outcome, Place, at_most, numbered_rows, open_place, rubric_text, write_suite

SIMULATED = ("--model", "simulated:rate=0.1")
KEYS = {
    "store",
    "counted",
    "requests",
    "input_tokens",
    "output_tokens",
    "usd",
    "finished",
    "budget_spent",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(30))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.8"), at_most("0.01")))
    return open_place(tmp_path, monkeypatch)


def run(place: Place, *more: str, store: str = "s.run") -> Outcome:
    return place.run(
        *("run", "--suite", "suite", "--rubric", "rubric.yaml", "--seed", "7", "--store", store, "--quiet"),
        *more,
    )


def test_json_says_what_was_counted_and_spent(place: Place) -> None:
    outcome = run(place, *SIMULATED, "--design", "fixed", "--price", "1,2", "--json")
    document = outcome.json
    assert KEYS == set(document)
    assert ("s.run", 30, 30, True, False) == tuple(
        document[key] for key in ("store", "counted", "requests", "finished", "budget_spent")
    )
    tokens = document["input_tokens"], document["output_tokens"]
    assert min(tokens) > 0
    assert pytest.approx((tokens[0] + 2 * tokens[1]) / 1e6) == float(document["usd"])


def test_the_text_says_how_to_go_on(place: Place) -> None:
    outcome = run(place, *SIMULATED, "--design", "fixed")
    assert "finished: 30 answers counted, 30 requests, in s.run" in outcome.out
    assert "verilabel decide s.run --out BUNDLE" in outcome.out


def test_a_finished_store_asks_nothing_again(place: Place) -> None:
    with answering_server(lambda prompt: "no") as model:
        given = ("--model", "vllm/x", "--base-url", model.base_url, "--design", "fixed", "--json")
        first = run(place, *given).json
        before = place.journal("s.run")
        again = run(place, *given).json
        assert 30 == len(model.prompts)
    assert first == again
    assert before == place.journal("s.run")


def test_a_spent_budget_is_said_and_more_of_it_continues(place: Place) -> None:
    stopped = run(place, *SIMULATED, "--design", "fixed", "--budget", "requests=11", "--json").json
    assert (11, False, True) == (stopped["requests"], stopped["finished"], stopped["budget_spent"])
    text = run(place, *SIMULATED, "--design", "fixed", "--budget", "requests=12").out
    assert text.startswith("stopped: the budget is spent: 12 answers counted, 12 requests")
    done = run(place, *SIMULATED, "--design", "fixed", "--budget", "requests=99", "--json").json
    assert (30, True, False) == (done["requests"], done["finished"], done["budget_spent"])


def test_a_budget_in_tokens_or_money_stops_too(place: Place) -> None:
    tokens = run(
        place, *SIMULATED, "--design", "fixed", "--budget", "tokens=1", "--connections", "1", "--json"
    )
    assert (1, True) == (tokens.json["requests"], tokens.json["budget_spent"])
    money = ("--budget", "usd=0.000001", "--price", "1,1", "--connections", "1", "--json")
    assert 1 == run(place, *SIMULATED, "--design", "fixed", *money, store="m.run").json["requests"]


def test_the_plan_is_logged_unless_it_must_not_be(place: Place) -> None:
    run(place, *SIMULATED, "--unlogged", "--design", "fixed")
    assert not any(name.startswith("home/log") for name in place.files())
    run(place, *SIMULATED, "--design", "fixed", store="logged.run")
    (entry,) = place.succeed("log", "show", "--json").json["entries"]
    assert "verilabel.plan/v1" in str(entry)


def test_an_unlogged_run_makes_a_label_that_verifies_to_v0(place: Place) -> None:
    run(place, *SIMULATED, "--unlogged", "--design", "fixed")
    place.succeed("decide", "s.run", "--out", "b.bundle")
    found = place.succeed("verify", "b.bundle", "--json").json
    assert "V0" == found["level"]
    assert "nothing shows that the plan came before the run" in found["reason"]


def test_a_log_of_ones_own_is_made_where_it_is_wanted(place: Place) -> None:
    run(place, *SIMULATED, "--design", "fixed", "--log", "logs/mine")
    assert {"logs/mine", "logs/mine.key", "logs/mine.pub"} <= place.files()
    assert not (place.folder / "home" / "log").exists()


def test_progress_goes_to_standard_error_and_ends_with_the_count(place: Place) -> None:
    outcome = place.succeed(
        *("run", *SIMULATED, "--suite", "suite", "--rubric", "rubric.yaml", "--store", "s.run"),
        *("--design", "fixed", "--json"),
    )
    assert "30 of at most 30 answers counted, 30 requests" in outcome.err
    assert 30 == outcome.json["counted"]


def test_a_continued_run_says_what_is_kept(place: Place) -> None:
    run(place, *SIMULATED, "--design", "fixed", "--budget", "requests=11")
    outcome = place.succeed(
        *("run", *SIMULATED, "--suite", "suite", "--rubric", "rubric.yaml", "--store", "s.run"),
        *("--design", "fixed", "--budget", "requests=99"),
    )
    assert "continuing: 11 answers are kept" in outcome.err


def test_nothing_of_a_store_is_made_when_the_plan_cannot_be(place: Place) -> None:
    outcome = run(place, *SIMULATED, "--detector", "matched=refusal")
    assert 2 == outcome.status
    assert not (place.folder / "s.run" / "plan").exists()


def test_a_terminal_shows_the_rows_while_they_are_decided(place: Place) -> None:
    name = "Level [red]1[/red]"
    text = rubric_text(at_most("0.8")).replace("name: Level 1", f'name: "{name}"')
    (place.folder / "rubric.yaml").write_text(text)
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [
                *(sys.executable, "-c", "from verilabel.cli import main; raise SystemExit(main())", "run"),
                *("--model", "simulated:rate=0.1,latency_ms=30", "--connections", "2", "--design", "fixed"),
                *("--suite", "suite", "--rubric", "rubric.yaml", "--seed", "7", "--store", "s.run"),
            ],
            env={
                "PATH": os.environ["PATH"],
                "VERILABEL_HOME": str(place.folder / "home"),
                "TERM": "xterm",
                "COLUMNS": "160",
            },
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        ) as process:
            os.close(theirs)
            shown = read_terminal(ours)
            assert process.stdout is not None
            assert "finished: 30 answers counted" in process.stdout.read(), shown
    finally:
        os.close(ours)
    assert name in shown  # a rubric's text is shown and does not command the terminal
    assert "L1 when" in shown and "<= 0.8" in shown and "of at most 30 answers counted" in shown
    assert "Traceback" not in shown


def read_terminal(descriptor: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other side was closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")
