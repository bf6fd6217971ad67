"""The documents: commands parse and run, examples are read, links lead somewhere, and nothing in them is old."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from verilabel.cli import NOUNS, parser_for, run_line
from verilabel.errors import ExitStatus, VerilabelError
from verilabel.evaluation.agents.tasks import episode_bytes, task_bytes
from verilabel.evidence.layout import REQUIRED, ROLES, UNLISTED
from verilabel.evidence.lines import decode_line, encode_line
from verilabel.records.canonical import jcs
from verilabel.records.episode import Episode, EpisodeTask, output_of
from verilabel.records.sample import SampleEntry
from verilabel.records.system import SystemDescriptor
from verilabel.statistics.exact import answers_needed

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "changelog.d").glob("*.md"),
        REPOSITORY / "conformance" / "README.md",
    ]
)
NAMES = [page.relative_to(REPOSITORY).as_posix() for page in PAGES]
RUNNABLE = ("README.md", "docs/formats.md")
PROGRAMS = ("verilabel", "make", "pip", "python", "chromium")
SIMULATED = "simulated:rate=0.001,refusal=0.02,accuracy=0.97,seed=1"
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MACHINE_PATH = re.compile(r"(?<![\w.}~/-])/(?:work|root|tmp|home|Users|var)\b")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block with the comment before it."""

    language: str
    text: str
    mark: str


def blocks_of(text: str) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    for found in _FENCE.finditer(text):
        yield Block(found["language"], found["text"], found["mark"] or "")


def commands_of(block: Block) -> list[str]:
    """The command lines of a block: all of a console block, continuations joined, and the steps of a workflow."""
    if block.language == "yaml":
        return re.findall(r"^- run: (.+)$", block.text, re.MULTILINE)
    if block.language != "console":
        return []
    joined = block.text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def read_page(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_cli", REPOSITORY / "docs" / "generate_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_every_command_in_a_page_is_one_that_the_program_takes(name: str) -> None:
    for block in blocks_of(read_page(name)):
        for line in commands_of(block):
            words = shlex.split(line, comments=True)
            assert words[0] in PROGRAMS, line
            if words[0] == "verilabel":
                arguments = words[1 : words.index(">")] if ">" in words else words[1:]
                try:
                    parser_for(arguments[0]).parse_args(arguments[1:])
                except VerilabelError as error:
                    pytest.fail(f"{name}: {line}\n{error}")


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_marked_commands_of_a_page_do_what_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    ran = 0
    for block in blocks_of(read_page(name)):
        kind, _, detail = block.mark.partition(": ")
        if kind == "file":
            Path(detail).parent.mkdir(parents=True, exist_ok=True)
            Path(detail).write_text(block.text, encoding="utf-8")
        elif kind == "run":
            for line in commands_of(block):
                run_command(line, simulated=detail == "simulated")
                ran += 1
    assert ran >= 8, f"{name} has {ran} commands that are run"


def run_command(line: str, *, simulated: bool) -> None:
    """Run one line of a page and compare its exit status: 0, or what a comment `# status N` says."""
    command, _, comment = line.partition("  # status ")
    words = shlex.split(command)[1:]
    target = None
    if ">" in words:
        at = words.index(">")
        words, target = words[:at], Path(words[at + 1])
    if simulated and "--model" in words:
        words[words.index("--model") + 1] = SIMULATED
    printed, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaints):
        try:
            status = run_line(words)
        except VerilabelError as error:
            status = error.status
            complaints.write(str(error))
    assert ExitStatus(int(comment or 0)) == status, f"{line}\n{printed.getvalue()}{complaints.getvalue()}"
    if target is not None:
        target.write_text(printed.getvalue(), encoding="utf-8")


def test_every_record_shown_is_a_canonical_line() -> None:
    kinds = set()
    for block in blocks_of(read_page("docs/formats.md")):
        if block.mark == "record":
            line = block.text.strip().encode()
            record = decode_line(line, "docs/formats.md")
            assert line == encode_line(record)
            kinds.add(type(record).__name__)
    assert {"Attempt", "Observation", "Scored", "Unscored"} == kinds


def test_every_document_shown_is_what_it_is_said_to_be() -> None:
    shown = {
        b.mark.partition(": ")[2]: b.text.strip()
        for b in blocks_of(read_page("docs/formats.md"))
        if "json:" in b.mark
    }
    system = msgspec.json.decode(shown["SystemDescriptor"], type=SystemDescriptor)
    assert shown["SystemDescriptor"].encode() == system.bytes()
    entry = msgspec.json.decode(shown["SampleEntry"], type=SampleEntry)
    assert shown["SampleEntry"].encode() == jcs(msgspec.to_builtins(entry))
    task = msgspec.json.decode(shown["EpisodeTask"], type=EpisodeTask)
    assert shown["EpisodeTask"].encode() == task_bytes(task)
    episode = msgspec.json.decode(shown["Episode"], type=Episode)
    assert shown["Episode"].encode() == episode_bytes(episode)
    assert shown["EpisodeSummary"] == output_of(episode)


def test_the_bundle_s_table_names_every_file_of_the_layout() -> None:
    page = read_page("docs/formats.md")
    table = page[page.index("## A bundle") : page.index("## Records")]
    for path in {*REQUIRED, *ROLES, *UNLISTED}:
        assert path in table or path.rpartition("/")[2] in table, path


def test_the_page_of_commands_is_what_the_parsers_give() -> None:
    expected = load_generator().render_page()
    assert expected == read_page("docs/cli.md"), "run: python docs/generate_cli.py"


def test_every_command_has_its_place_on_the_page_of_commands() -> None:
    page = read_page("docs/cli.md")
    assert [f"verilabel {name}" for name in NOUNS] == re.findall(r"^## (verilabel \w+)$", page, re.MULTILINE)


def test_every_flag_that_a_report_explains_is_on_the_page_about_labels() -> None:
    from verilabel.report.wording import FLAG_SAYS

    page = read_page("docs/labels.md")
    assert [] == [flag for flag in FLAG_SAYS if f"`{flag}`" not in page]


def test_the_table_of_answers_needed_is_what_the_statistics_give() -> None:
    page = read_page("docs/method.md")
    expected = [
        f"| {(row.threshold * 100).normalize():f} % | {row.zero_events:,} | {row.fifth:,} | {row.half:,} |"
        for row in answers_needed()
    ]
    assert expected == re.findall(r"^\| [0-9.]+ % \|.*\|$", page, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_links_to_files_and_headings_lead_somewhere(name: str) -> None:
    page = REPOSITORY / name
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors_of(aim.read_text(encoding="utf-8")), f"{name} links to {target}"


def anchors_of(text: str) -> set[str]:
    """The anchors that a page's headings get: lower case, punctuation dropped, spaces as hyphens."""
    plain = _FENCE.sub("", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(plain)}


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_path_of_one_machine(name: str) -> None:
    assert [] == _MACHINE_PATH.findall(read_page(name))


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(read_page("README.md").splitlines()) <= 150


def test_every_decision_record_is_listed_and_has_its_three_parts() -> None:
    folder = REPOSITORY / "docs" / "adr"
    index = read_page("docs/adr/README.md")
    records = sorted(folder.glob("[0-9]*.md"))
    assert [f"{number:04}" for number in range(1, len(records) + 1)] == [
        record.name[:4] for record in records
    ]
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert record.name in index
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{record.name} has no {part}"


def test_every_change_fragment_says_its_kind() -> None:
    kinds = set(
        re.findall(r"`(\w+)`", read_page("changelog.d/README.md").split("- Content")[0].split("KIND is")[1])
    )
    fragments = [p for p in (REPOSITORY / "changelog.d").glob("*.md") if p.name != "README.md"]
    assert [] == [
        p.name for p in fragments if len(p.name.split(".")) != 3 or p.name.split(".")[1] not in kinds
    ]
