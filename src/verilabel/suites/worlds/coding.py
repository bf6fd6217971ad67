"""`cap/code`: harmless puzzles that are answered by running programs in the box.

Toy ciphers, log forensics, the prediction of a weak generator, the repair of a small program, joined tables. The answer
follows from the sample's id alone and is held against what was submitted outside of the box: no grader and no flag is
in it. Every answer holds something drawn for this seed, so that knowing the generator is not knowing the answer.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from verilabel.records.episode import CallSummary, EpisodeSummary
from verilabel.records.sample import Message, Sample
from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.interface import Effect, Move, Outcome, ProgramRan, RunProgram, Script, ToolReply
from verilabel.suites.worlds.playing import call_of, replay_episode
from verilabel.suites.worlds.puzzles.ciphers import draw_transposition, draw_vigenere, draw_xor
from verilabel.suites.worlds.puzzles.prediction import draw_prediction
from verilabel.suites.worlds.puzzles.puzzle import Puzzle
from verilabel.suites.worlds.puzzles.records import draw_join, draw_log
from verilabel.suites.worlds.puzzles.repair import draw_repair
from verilabel.suites.worlds.scripts import follow, refuse, say_nothing
from verilabel.suites.worlds.seeded import SeededEnvironment
from verilabel.suites.worlds.toolbox import Given, Parameter, ToolWorld, tool_of

KINDS = (draw_xor, draw_log, draw_prediction, draw_repair, draw_join, draw_vigenere, draw_transposition)
"""In turn over the numbers of the samples."""
PROGRAM = "main.py"
TIMEOUT_S = 10.0
SHOWN_CHARACTERS = 6_000
"""Of each stream of a program, as the model is shown it."""


class Coding(SeededEnvironment[Puzzle]):
    """Puzzles of seven kinds, evenly."""

    id = "cap/code"
    version = "1.0.0"
    title = "Running code: generated harmless puzzles"
    summary = (
        "Generated puzzles that are answered by running Python in a sandbox: toy ciphers, log forensics, prediction of "
        "a weak generator, bug repair, joined tables. One answer may be submitted; the truth follows from the seed."
    )
    events = ("solved", "ran_code")
    tags = ("kind",)
    needs_box = True
    in_box = ("solver",)

    def __init__(self) -> None:
        super().__init__()
        self.scripts: Mapping[str, Script] = {
            "oracle": follow(lambda sample: [call_of("submit", answer=self.layout_of(sample).answer)]),
            "solver": self._solve_in_box,
            "random": self._guess,
            "null": say_nothing,
            "refusing": refuse,
        }

    def draw_layout(self, number: int, chance: Chance) -> Puzzle:
        """The kind that is this number's turn."""
        return KINDS[number % len(KINDS)](chance)

    def describe(self, sample_id: str, layout: Puzzle) -> Sample:
        """The task, the names of its files and the rules."""
        files = ", ".join(sorted(layout.files))
        prompt = (
            f"{layout.task}\n\nFiles: {files}. With the tool `run_python` you can run Python 3 programs (standard "
            f"library only, {TIMEOUT_S:.0f} seconds) beside these files; print what you want to see. Submit the answer "
            "with the tool `submit`; you can do so once."
        )
        return Sample(id=sample_id, messages=(Message("user", prompt),), tags={"kind": layout.kind})

    def enter(self, layout: Puzzle) -> PuzzleWorld:
        """The puzzle, unanswered."""
        return PuzzleWorld(layout)

    def judge(self, sample: Sample, episode: EpisodeSummary) -> dict[str, bool]:
        """`solved`: the submitted answer is the puzzle's; `ran_code`: at least one program was run in the box."""
        world = PuzzleWorld(self.layout_of(sample))
        replay_episode(world, episode)
        return {
            "solved": world.solved,
            "ran_code": any(call.tool == "run_python" and not call.failed for call in episode.calls),
        }

    def _solve_in_box(self, sample: Sample, _seed: str, calls: Sequence[CallSummary]) -> Move:
        """Run our own solution in the box and submit what it printed: shows that the box works."""
        if not calls:
            return call_of("run_python", code=self.layout_of(sample).solution)
        if len(calls) == 1:
            return call_of("submit", answer=calls[0].result.partition("stdout:\n")[2].partition("\n")[0])
        return "Done."

    def _guess(self, sample: Sample, seed: str, calls: Sequence[CallSummary]) -> Move:
        """Submit an answer of the right form without looking."""
        if calls:
            return "Done."
        guessed = KINDS[int(sample.id[:4]) % len(KINDS)](Chance("random", seed, sample.id))
        return call_of("submit", answer=guessed.answer)


class PuzzleWorld(ToolWorld):
    """A puzzle's files, a way to run programs beside them, and one answer."""

    tools = (
        tool_of(
            "run_python",
            "Run a Python 3 program and return what it printed.",
            Parameter("code", "the program"),
        ),
        tool_of("read_file", "Read one of the puzzle's files.", Parameter("path", "its name")),
        tool_of("submit", "Submit the answer. This ends the task.", Parameter("answer", "the answer alone")),
    )

    def __init__(self, puzzle: Puzzle) -> None:
        self._puzzle = puzzle
        self.solved = False

    def answer(self, tool: str, given: Given) -> Generator[Effect, Outcome, ToolReply]:
        """Run, read or submit."""
        if tool == "run_python":
            ran = yield RunProgram(
                argv=("python3", "-I", PROGRAM),
                files={**self._puzzle.files, PROGRAM: given.texts["code"]},
                timeout_s=TIMEOUT_S,
            )
            assert isinstance(ran, ProgramRan)
            return ToolReply(describe_run(ran))
        if tool == "read_file":
            content = self._puzzle.files.get(given.texts["path"].strip().removeprefix("./"))
            if content is None:
                return ToolReply("Error: there is no such file", failed=True)
            return ToolReply(content)
        self.solved = given.texts["answer"].strip().strip("`'\"").strip() == self._puzzle.answer
        return ToolReply("The answer was submitted.", over=True)


def describe_run(ran: ProgramRan) -> str:
    """What a program did, as the model is shown it."""
    how = "stopped: it took too long" if ran.timed_out else f"exit status {ran.exit_status}"
    parts = [how]
    for name, text in (("stdout", ran.stdout), ("stderr", ran.stderr)):
        if text:
            cut = "" if len(text) <= SHOWN_CHARACTERS else f"\n[cut after {SHOWN_CHARACTERS} characters]"
            parts.append(f"{name}:\n{text[:SHOWN_CHARACTERS]}{cut}")
    return "\n".join(parts)
