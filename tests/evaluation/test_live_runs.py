"""Whole runs of the program against live servers: kills, resumes, failures, limits."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from evaluation.conftest import Workplace
from servers.running import mock_server, requests_seen
from verilabel.evidence.journal import JOURNAL


def sealed(workplace: Workplace, out: str = "b.bundle") -> dict[str, object]:
    result = workplace.run("verify", out, "--json")
    assert 0 == result.returncode, result.stderr
    document: dict[str, object] = json.loads(result.stdout)
    return document


def label(
    workplace: Workplace, base_url: str, *more: str, out: str = "b.bundle", design: str = "fixed"
) -> None:
    result = workplace.run(*workplace.label_options(base_url, *more, out=out, design=design))
    assert 0 == result.returncode, result.stderr


@pytest.mark.parametrize("design", ["fixed", "anytime"])
def test_a_killed_run_resumes_to_the_same_root_and_asks_nothing_twice(
    workplace: Workplace, design: str
) -> None:
    answers = "rate:0.6"  # six in ten comply, so an anytime run does not end at once
    with mock_server("--answers", answers) as plain:
        label(workplace, plain, out="whole.bundle", design=design)
        whole = sealed(workplace, "whole.bundle")
        asked_by_whole = requests_seen(plain)
    with mock_server("--answers", answers, "--latency-ms", "20") as slow:
        options = workplace.label_options(slow, "--connections", "2", design=design)
        with workplace.start(*options) as process:
            while requests_seen(slow) < 12:
                assert process.poll() is None, "the run ended before it could be killed"
            process.send_signal(signal.SIGKILL)
        journal = workplace.folder / "b.bundle.run" / JOURNAL
        kept = journal.read_bytes().count(b'{"kind":"attempt"')
        assert 0 < kept < 60
        before = requests_seen(slow)
        label(workplace, slow, "--connections", "2", design=design)
        asked_again = requests_seen(slow) - before
    resumed = sealed(workplace)
    assert whole["evidence_root"] == resumed["evidence_root"]
    assert whole["label"] == resumed["label"]
    assert "V2" == resumed["level"]
    if design == "fixed":
        assert 60 - kept == asked_again
        assert 60 == asked_by_whole


def test_a_torn_last_line_is_asked_again_and_nothing_else(workplace: Workplace) -> None:
    with mock_server() as url:
        done = workplace.run(*workplace.label_options(url, "--keep-run"))
        assert 0 == done.returncode, done.stderr
        journal = workplace.folder / "b.bundle.run" / JOURNAL
        data = journal.read_bytes()
        journal.write_bytes(data[: data.rstrip(b"\n").rindex(b"\n") - 300])
        before = requests_seen(url)
        label(workplace, url, "--force")
        assert 1 == requests_seen(url) - before


def test_every_attempt_of_a_failing_provider_is_evidence_and_the_label_is_the_same(
    workplace: Workplace,
) -> None:
    with mock_server() as good, mock_server("--fail-every", "4") as flaky:
        label(workplace, good, out="good.bundle")
        label(workplace, flaky, out="flaky.bundle")
    lines = (workplace.folder / "flaky.bundle" / "records" / "evidence.jsonl").read_text().splitlines()
    failures = [line for line in lines if '"rate_limited"' in line]
    assert len(failures) >= 15
    assert (
        sealed(workplace, "good.bundle")["sentence"].split(";")[0]
        == (  # type: ignore[attr-defined]
            sealed(workplace, "flaky.bundle")["sentence"].split(";")[0]  # type: ignore[attr-defined]
        )
    )


def test_the_anthropic_dialect_gives_the_same_answers(workplace: Workplace) -> None:
    with mock_server("--dialect", "anthropic", "--answers", "rate:0.9") as url:
        workplace_options = [
            o if o != "vllm/mock-1" else "anthropic/mock-1" for o in workplace.label_options(url)
        ]
        (workplace.folder / "key").write_text("sk-ant-test")
        (workplace.folder / "key").chmod(0o600)
        result = workplace.run(*workplace_options, "--key-file", "key")
    assert 0 == result.returncode, result.stderr
    assert "V2" == sealed(workplace)["level"]


def test_a_spent_budget_stops_and_the_same_command_with_more_continues(workplace: Workplace) -> None:
    with mock_server() as url:
        stopped = workplace.run(*workplace.label_options(url, "--budget", "requests=25"))
        assert 8 == stopped.returncode
        assert "fixed plan asks 60 answers" in stopped.stderr
        assert "raise --budget" in stopped.stderr
        assert not (workplace.folder / "b.bundle").exists()
        label(workplace, url, "--budget", "requests=100")
        assert 60 == requests_seen(url)
    assert "V2" == sealed(workplace)["level"]


def test_an_anytime_run_out_of_budget_gives_the_label_it_has_shown(workplace: Workplace) -> None:
    with mock_server() as url:
        label(workplace, url, "--budget", "requests=20", design="anytime")
    found = sealed(workplace)
    assert str(found["sentence"]).startswith("L1 Basic granted, cannot exclude up to L2 Good")


def test_a_refused_key_is_status_5_and_nothing_is_sealed(workplace: Workplace) -> None:
    with mock_server("--fail-every", "1", "--fail-status", "401") as url:
        result = workplace.run(*workplace.label_options(url))
        assert 5 == result.returncode
        assert "401" in result.stderr
        assert "sk-secret-test" not in result.stderr
        assert not (workplace.folder / "b.bundle").exists()
    with mock_server() as url:  # another address is another system
        other = workplace.run(*workplace.label_options(url))
    assert 2 == other.returncode
    assert "begun with another subject/system.json" in other.stderr


def test_an_outage_stops_the_run_instead_of_becoming_missing_answers(workplace: Workplace) -> None:
    with mock_server("--fail-every", "1", "--fail-status", "400") as url:
        result = workplace.run(*workplace.label_options(url))
    assert 5 == result.returncode
    assert "20 questions in a row went unanswered" in result.stderr
    assert "the answers so far are kept" in result.stderr


def test_a_model_that_is_not_there_is_status_5(workplace: Workplace) -> None:
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1", "--max-attempts", "1"))
    assert 5 == result.returncode
    assert "127.0.0.1:9" in result.stderr


def test_a_second_run_into_one_store_is_refused(workplace: Workplace) -> None:
    with (
        mock_server("--latency-ms", "200") as url,
        workplace.start(*workplace.label_options(url, "--connections", "1")) as first,
    ):
        while requests_seen(url) < 1:
            assert first.poll() is None
        second = workplace.run(*workplace.label_options(url, "--connections", "1"))
        first.kill()
    assert 2 == second.returncode
    assert "another run is writing into this store" in second.stderr


def test_ctrl_c_keeps_what_was_answered(workplace: Workplace) -> None:
    with mock_server("--latency-ms", "20") as url:
        with workplace.start(*workplace.label_options(url, "--connections", "1")) as process:
            while requests_seen(url) < 8:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate()
        assert 130 == process.returncode
        assert "the same command continues" in errors
        assert "Traceback" not in errors
        label(workplace, url)
        assert requests_seen(url) <= 61
    assert "V2" == sealed(workplace)["level"]


def test_no_key_ever_reaches_a_file(workplace: Workplace) -> None:
    with mock_server() as url:
        label(workplace, url, "--key-env", "OPENAI_API_KEY", "--keep-run")
    for root, _, names in os.walk(workplace.folder):
        for name in names:
            assert b"sk-secret-test" not in Path(root, name).read_bytes()


def test_a_fixed_plan_cut_by_limit_asks_exactly_that_many(workplace: Workplace) -> None:
    with mock_server() as url:
        label(workplace, url, "--limit", "15")
        assert 15 == requests_seen(url)


def test_the_plan_is_logged_before_the_first_request(workplace: Workplace) -> None:
    with mock_server("--fail-every", "1", "--fail-status", "401") as url:
        workplace.run(*workplace.label_options(url))
    shown = json.loads(workplace.run("log", "show", "--json").stdout)
    assert "verilabel.plan/v1" in json.dumps(shown)
    assert "verilabel.label/v1" not in json.dumps(shown)


def test_a_run_stopped_between_two_attempts_is_not_decided_on_what_it_lacks(workplace: Workplace) -> None:
    with (
        mock_server("--fail-every", "1", "--fail-status", "503") as url,
        workplace.start(*workplace.label_options(url, "--connections", "1")) as process,
    ):
        while requests_seen(url) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    decided = workplace.run("decide", "b.bundle.run")
    assert 8 == decided.returncode, decided.stdout
    assert "60 answers of test/questions@1.0.0, 0 are there" in decided.stderr
