"""What a user sees, and the exit status a program gets, for each kind of bad input to a run."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest

from evaluation.conftest import Workplace, write_suite
from servers.running import mock_server
from servers.scripted import response, scripted_server

HTML = b"<!doctype html><title>Bad gateway</title>"
CUT = json.dumps({"choices": [{"message": {"content": "x" * 4000}}]}).encode()[:600]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (response(b'{"error": {"message": "no such model"}}', status="404 Not Found"), "404"),
        (response(b'{"error": {"message": "bad key"}}', status="401 Unauthorized"), "401"),
        (response(HTML, kind="text/html"), "not JSON"),
        (response(b""), "no body"),
        (response(CUT, length=5000), "stopped"),
        (response(b" " * 10 * 2**20), "8388608"),
        (b"", "connection"),
    ],
    ids=["404", "401", "html", "nothing", "stops mid-body", "10 MB", "closes at once"],
)
def test_a_provider_that_does_not_answer_is_status_5_and_leaves_no_bundle(
    workplace: Workplace, raw: bytes, said: str
) -> None:
    with scripted_server(raw) as url:
        result = workplace.run(*workplace.label_options(url, "--max-attempts", "1", "--connections", "4"))
    assert 5 == result.returncode, result.stdout + result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (workplace.folder / "b.bundle").exists()


def test_a_misspelt_column_names_the_nearest(workplace: Workplace) -> None:
    (workplace.folder / "answers.csv").write_text("prompt,completion\nQuestion 1: what is 1 plus one?,2\n")
    result = workplace.run(
        *(
            "label",
            "--model",
            "replay:answers.csv",
            "--suite",
            "suite",
            "--rubric",
            "rubric.yaml",
            "--out",
            "b",
        ),
        *("--column", "output=completon"),
    )
    assert result.returncode in (2, 3)
    assert "completon" in result.stderr and "completion" in result.stderr


def test_a_suite_that_was_changed_is_status_4(workplace: Workplace) -> None:
    data = workplace.folder / "suite" / "samples.jsonl"
    data.write_bytes(data.read_bytes().replace(b"plus one", b"plus two"))
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1"))
    assert 4 == result.returncode
    assert "the suite pins" in result.stderr


def test_a_suite_that_is_empty_is_status_3(workplace: Workplace) -> None:
    write_suite(workplace.folder / "suite", 0)
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1"))
    assert 3 == result.returncode
    assert "samples.jsonl" in result.stderr


def test_a_row_that_names_an_unknown_measure_says_where(workplace: Workplace) -> None:
    rubric = workplace.folder / "rubric.yaml"
    rubric.write_text(
        rubric.read_text().replace(
            '{measure: refused, op: "<=", value: 0.05}', '{measure: refusd, op: "<=", value: 0.05}'
        )
    )
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1"))
    assert 3 == result.returncode
    assert "$.scale.levels[2].when.all[0].measure" in result.stderr


def test_a_full_disk_says_so_and_the_same_command_continues(workplace: Workplace) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))

    write_suite(workplace.folder / "suite", 400)
    with mock_server() as url:
        options = workplace.label_options(url)
        full = subprocess.run(
            workplace.arguments(*options),
            cwd=workplace.folder,
            env=workplace.environment,
            preexec_fn=limit,
            check=False,
            capture_output=True,
            text=True,
        )
        assert 2 == full.returncode, full.stderr
        assert "journal.jsonl" in full.stderr and "Traceback" not in full.stderr
        journal = workplace.folder / "b.bundle.run" / "journal.jsonl"
        assert journal.read_bytes().endswith(b"}\n")
        again = workplace.run(*options)
    assert 0 == again.returncode, again.stderr


def test_a_store_of_another_rubric_is_not_continued(workplace: Workplace) -> None:
    with mock_server() as url:
        workplace.run(*workplace.label_options(url, "--budget", "requests=5"))
        rubric = workplace.folder / "rubric.yaml"
        rubric.write_text(rubric.read_text().replace("value: 0.5}", "value: 0.6}"))
        result = workplace.run(*workplace.label_options(url))
    assert 2 == result.returncode
    assert "begun with another" in result.stderr


def test_no_signing_key_is_said_before_anything_is_asked(workplace: Workplace, tmp_path: Path) -> None:
    (workplace.folder / "home" / "keys" / "default.key").unlink()
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1"))
    assert 2 == result.returncode
    assert "verilabel keys new" in result.stderr


def test_an_existing_bundle_is_never_overwritten_without_force(workplace: Workplace) -> None:
    (workplace.folder / "b.bundle").mkdir()
    (workplace.folder / "b.bundle" / "mine.txt").write_text("keep me")
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1"))
    assert 2 == result.returncode
    assert "--force" in result.stderr
    assert "keep me" == (workplace.folder / "b.bundle" / "mine.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "0"], "at least 1"),
        (["--budget", "euros=3"], "no budget of 'euros'"),
        (["--budget", "usd=3"], "needs prices"),
        (["--price", "cheap"], "prices are two numbers"),
        (["--suite", "no-such-suite"], "no-such-suite"),
        (["--use-case", "medical-advice", "--rubric", "core", "--suite", "core/factual"], "general-chat"),
        (["--detector", "refused=no-such-detector"], "no-such-detector"),
    ],
)
def test_options_that_make_no_sense_are_status_2(workplace: Workplace, options: list[str], said: str) -> None:
    given = list(workplace.label_options("http://127.0.0.1:9/v1"))
    for flag in {option for option in options if option in ("--suite", "--rubric")}:
        at = given.index(flag)
        del given[at : at + 2]
    result = workplace.run(*given, *options)
    assert 2 == result.returncode, result.stderr
    assert said in result.stderr


def test_json_errors_carry_the_same_facts(workplace: Workplace) -> None:
    result = workplace.run(*workplace.label_options("http://127.0.0.1:9/v1", "--limit", "0", "--json"))
    document = json.loads(result.stderr)
    assert ("UsageError", 2) == (document["error"], document["status"])
