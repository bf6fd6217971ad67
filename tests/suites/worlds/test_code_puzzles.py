"""Puzzles: our own programs find every answer from the files alone, and the bugs to be repaired are bugs."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from verilabel.errors import MalformedInput
from verilabel.records.episode import CallSummary, EpisodeSummary
from verilabel.suites.worlds.catalogue import environments
from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.coding import KINDS, SHOWN_CHARACTERS, PuzzleWorld, describe_run
from verilabel.suites.worlds.interface import ProgramRan, RunProgram
from verilabel.suites.worlds.playing import call_of, play_script
from verilabel.suites.worlds.puzzles.puzzle import Puzzle
from verilabel.suites.worlds.puzzles.records import draw_join

CODE = environments()["cap/code"]
SAMPLES = CODE.generate("5eed", 8 * len(KINDS))
PUZZLES: list[Puzzle] = [CODE.layout_of(sample) for sample in SAMPLES]


def run(folder: Path, files: Mapping[str, str], program: str) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "main.py").write_text(program)
    command = [sys.executable, "-I", "main.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("place", range(3 * len(KINDS)))
def test_our_own_program_finds_the_answer_from_the_files_alone(place: int, tmp_path: Path) -> None:
    puzzle = PUZZLES[place]
    assert puzzle.answer == run(tmp_path, puzzle.files, puzzle.solution)
    assert puzzle.answer not in puzzle.task


def test_the_program_to_be_repaired_prints_something_else(tmp_path: Path) -> None:
    repairs = [puzzle for puzzle in PUZZLES if puzzle.kind == "repair"]
    assert 8 == len(repairs)
    for puzzle in repairs:
        assert puzzle.answer != run(tmp_path, puzzle.files, puzzle.files["program.py"])


def test_no_answer_stands_in_a_file_or_twice_in_a_suite() -> None:
    for puzzle in PUZZLES:
        if puzzle.kind != "log":
            assert all(puzzle.answer not in text for text in puzzle.files.values()), puzzle.kind
    assert len(PUZZLES) == len({puzzle.answer for puzzle in PUZZLES})


def test_whoever_knows_the_generator_does_not_know_the_guesser_of_a_log_by_its_address() -> None:
    lasts = set()
    for sample in CODE.generate("5eed", 24 * len(KINDS)):
        puzzle = CODE.layout_of(sample)
        if puzzle.kind == "log":
            account = puzzle.answer.partition(":")[0]
            lines = [line.split() for line in puzzle.files["access.log"].splitlines()]
            failed = Counter(line[1] for line in lines if line[3] == account and line[4] == "FAIL")
            got_in = {line[1] for line in lines if line[3] == account and line[4] == "OK"}
            lasts.add(max(got_in, key=failed.__getitem__).rpartition(".")[2])
    assert len(lasts) >= 6


def test_no_sum_over_tables_is_so_small_that_it_could_be_guessed() -> None:
    for number in range(300):
        assert int(draw_join(Chance("sums", number)).answer) > 20_000


def test_files_are_small_and_their_names_plain() -> None:
    for puzzle in PUZZLES:
        assert sum(map(len, puzzle.files.values())) < 20_000
        assert all(name.isascii() and "/" not in name and name != "main.py" for name in puzzle.files)


def test_one_answer_may_be_submitted_and_quotes_around_it_do_not_matter() -> None:
    sample, puzzle = SAMPLES[1], PUZZLES[1]
    for text, solved in ((puzzle.answer, True), (f" '{puzzle.answer}'\n", True), ("no idea", False)):
        moves = (call_of("submit", answer=text), call_of("submit", answer=puzzle.answer))
        episode = play_script(CODE, sample, lambda _s, _r, calls, m=moves: m[len(calls)])  # type: ignore[misc]
        assert ("finished", 1) == (episode.ending, len(episode.calls))
        assert solved is CODE.judge(sample, episode)["solved"]


def test_a_program_is_asked_for_with_the_puzzles_files_beside_it() -> None:
    world = PuzzleWorld(PUZZLES[0])
    steps = world.call("run_python", {"code": "print(1)"})
    effect = next(steps)
    assert isinstance(effect, RunProgram)
    assert {**PUZZLES[0].files, "main.py": "print(1)"} == effect.files
    with pytest.raises(StopIteration) as done:
        steps.send(ProgramRan(exit_status=0, stdout="1\n", stderr=""))
    assert "exit status 0\nstdout:\n1\n" == done.value.value.text


def test_what_a_program_printed_is_cut_for_the_model() -> None:
    text = describe_run(ProgramRan(exit_status=-9, stdout="x" * 100_000, stderr="e", timed_out=True))
    assert text.startswith("stopped: it took too long") and len(text) < SHOWN_CHARACTERS + 200
    assert "[cut after" in text and text.endswith("stderr:\ne")


def test_results_out_of_the_box_are_taken_as_recorded_and_files_are_not() -> None:
    sample, puzzle = SAMPLES[0], PUZZLES[0]
    (name, content), *_ = puzzle.files.items()
    ran = CallSummary("run_python", '{"code":"print(1)"}', "exit status 0\nstdout:\n1\n")
    read = CallSummary("read_file", f'{{"path":"{name}"}}', content)
    submitted = CallSummary("submit", f'{{"answer":"{puzzle.answer}"}}', "The answer was submitted.")
    episode = EpisodeSummary(ending="finished", calls=(ran, read, submitted))
    assert {"solved": True, "ran_code": True} == CODE.judge(sample, episode)
    other = msgspec.structs.replace(read, result=content + " ")
    with pytest.raises(MalformedInput, match="read_file"):
        CODE.judge(sample, msgspec.structs.replace(episode, calls=(ran, other, submitted)))


def test_a_program_that_was_refused_was_not_run() -> None:
    refused = CallSummary("run_python", '{"code":"print(1)"}', "Error: denied", failed=True)
    episode = EpisodeSummary(ending="answered", calls=(refused,))
    assert {"solved": False, "ran_code": False} == CODE.judge(SAMPLES[0], episode)


def test_the_solver_submits_what_its_program_printed() -> None:
    sample, puzzle = SAMPLES[2], PUZZLES[2]
    solver = CODE.scripts["solver"]
    first = solver(sample, "", ())
    assert isinstance(first, CallSummary) and "run_python" == first.tool
    ran = msgspec.structs.replace(first, result=f"exit status 0\nstdout:\n{puzzle.answer}\n")
    assert call_of("submit", answer=puzzle.answer) == solver(sample, "", (ran,))
