"""The program itself: its overview, its help, its mistakes, and what programs that call it rely on."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_runs import Place, open_place
from verilabel import __version__
from verilabel.cli import NOUNS, module_of, parser_for
from verilabel.errors import VerilabelError

PROGRAM = [sys.executable, "-c", "from verilabel.cli import main; raise SystemExit(main())"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return open_place(tmp_path, monkeypatch)


# -- help ------------------------------------------------------------------------------------------------------


def test_without_a_command_it_says_what_there_is_and_that_it_did_nothing(place: Place) -> None:
    outcome = place.run()
    assert 2 == outcome.status
    for name, summary in NOUNS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", outcome.out, re.MULTILINE)


@pytest.mark.parametrize("asked", ["--help", "-h", "help"])
def test_help_is_the_overview_and_a_success(place: Place, asked: str) -> None:
    outcome = place.run(asked)
    assert (0, place.run().out) == (outcome.status, outcome.out)
    for words in ("examples:", "exit statuses:", "--version"):
        assert words in outcome.out


def test_the_version_is_the_packages(place: Place) -> None:
    assert f"verilabel {__version__}\n" == place.succeed("--version").out


@pytest.mark.parametrize("noun", NOUNS)
def test_every_command_has_help_with_examples_that_its_own_parser_takes(place: Place, noun: str) -> None:
    outcome = place.run(noun, "--help")
    assert 0 == outcome.status
    assert f"usage: verilabel {noun}" in outcome.out
    _, sign, after = outcome.out.partition("examples:\n")
    assert sign, f"{noun} has no examples"
    lines = re.findall(r"^  verilabel (.+)$", after.partition("\n\n")[0].replace("\\\n", " "), re.MULTILINE)
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[: words.index(">")] if ">" in words else words
        try:
            parser_for(words[0]).parse_args(words[1:])
        except VerilabelError as error:
            pytest.fail(f"{noun}: {line}: {error}")


@pytest.mark.parametrize("noun", NOUNS)
def test_every_option_of_every_command_says_what_it_is(noun: str) -> None:
    for action in parser_for(noun)._actions:
        if not isinstance(action, argparse._SubParsersAction):
            assert action.help, f"verilabel {noun} {action.option_strings or action.dest}"


@pytest.mark.parametrize("noun", NOUNS)
def test_the_overview_says_of_a_command_what_the_command_says_of_itself(noun: str) -> None:
    assert NOUNS[noun] == importlib.import_module(module_of(noun)).SUMMARY


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "meant"), [("lable", "label"), ("verfy", "verify"), ("gates", "gate")])
def test_a_misspelt_command_names_the_nearest(place: Place, typed: str, meant: str) -> None:
    outcome = place.run(typed)
    assert 2 == outcome.status
    assert f"no command {typed!r}" in outcome.err and f"did you mean {meant!r}?" in outcome.err


def test_a_command_like_none_points_to_the_list(place: Place) -> None:
    assert "verilabel --help lists them" in place.run("xyzzy").err


@pytest.mark.parametrize("name", ["console", "options", "../errors", "", "job"])
def test_only_commands_are_commands(place: Place, name: str) -> None:
    outcome = place.run(name)
    assert 2 == outcome.status
    assert f"no command {name!r}" in outcome.err


@pytest.mark.parametrize(
    "line",
    [
        ["show"],
        ["verify", "b", "--no-such-option"],
        ["verify", "b", "--tru", "t.yaml"],
        ["label", "--rubric", "core", "--design", "sometimes"],
        ["label", "--rubric", "core", "--limit", "many"],
        ["gate", "b"],
        ["gate", "b", "--min", "L1", "--ruled-out", "C1"],
    ],
)
def test_options_that_do_not_parse_are_usage_errors_with_a_way_on(place: Place, line: list[str]) -> None:
    outcome = place.run(*line)
    assert 2 == outcome.status
    assert outcome.err.startswith("error: ")
    assert f"hint: verilabel {line[0]} --help" in outcome.err
    assert "Traceback" not in outcome.err


def test_errors_are_json_where_results_are(place: Place) -> None:
    outcome = place.run("verify", "nothing.bundle", "--json")
    document = json.loads(outcome.err)
    assert {"error", "message", "where", "hint", "status"} == set(document)
    assert ("UsageError", 2, "nothing.bundle") == (document["error"], document["status"], document["where"])
    assert "" == outcome.out


def test_errors_of_the_command_line_itself_are_json_too(place: Place) -> None:
    assert "UsageError" == json.loads(place.run("verify", "--json").err)["error"]


def test_a_file_that_is_not_there_is_named(place: Place) -> None:
    outcome = place.run("label", "--system", "gone.yaml", "--rubric", "core", "--out", "b")
    assert 2 == outcome.status
    assert "error: No such file or directory @ gone.yaml\n" == outcome.err


def test_no_error_can_pass_for_a_line_of_ours(place: Place) -> None:
    outcome = place.run("verify", "b\nV2 recomputed\x1b[2K")
    assert 2 == outcome.status
    assert "\x1b" not in outcome.err
    assert not any(line.startswith("V2 recomputed") for line in outcome.err.splitlines())


words = st.one_of(
    st.sampled_from(["--json", "--help", "-h", "--out", "--model", "--rubric", "core", "b", "0", "", "--"]),
    st.text("-=abcxyz@:/.\\x00é ", max_size=8),
)


@given(st.lists(words, max_size=4))
def test_no_command_line_ends_in_a_traceback(line: list[str]) -> None:
    # commands that only read, so that no line of words can do anything
    for noun in ("gate", "rubric", "detectors"):
        arguments = [noun, *(word.replace("\x00", "") for word in line)]
        status = Place(Path()).run(*arguments).status
        assert status in range(9), arguments


# -- as a process ----------------------------------------------------------------------------------------------


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "VERILABEL_HOME": str(home)}


def test_a_reader_that_closes_early_gets_no_traceback_and_no_success(
    made_bundle: Path, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*PROGRAM, "gate", str(made_bundle), "--min", "L3"],
            check=False,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
        )
    finally:
        os.close(writing)
    assert (141, "") == (done.returncode, done.stderr)


def test_what_is_read_before_a_reader_closes_is_there(made_bundle: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "show", str(made_bundle), "--json", "--samples", "30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "{\n" == process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_looking_at_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from verilabel.cli import main, NOUNS, parser_for\n"
        "[parser_for(noun) for noun in NOUNS]\n"
        "print(sorted({'aiohttp', 'rich', 'numpy', 'pyarrow', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path), check=True
    )
    assert "[]\n" == done.stdout
