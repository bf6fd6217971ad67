"""The benchmarks run with one command, say what they measured, and write nothing that was not measured."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import sysconfig
from fractions import Fraction
from pathlib import Path

import pytest
from benchmarks.__main__ import BENCHMARKS, measure_section, results_page
from benchmarks.clients.bare_aiohttp import ask_all
from benchmarks.mock import Mock
from benchmarks.processes import run_command
from benchmarks.settings import CommandFailed, Settings
from benchmarks.startup import dearest_imports
from benchmarks.stopping import TAU, simulate
from benchmarks.tables import Section, Spread, Table, format_number, spread_of
from benchmarks.workload import prompt_of, write_suite

from servers.running import mock_server
from verilabel.statistics.design import operating_characteristics
from verilabel.suites.loading import load_suite

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def test_two_benchmarks_run_from_one_command_and_print_the_machine_and_their_tables() -> None:
    done = run_benchmarks("--quick", "--rounds", "1", "startup", "stopping")
    assert 0 == done.returncode, done.stderr
    for said in (
        "machine: ",
        "verilabel 0.",
        "date: ",
        "command: python -m benchmarks --quick --rounds 1",
    ):
        assert said in done.stdout
    startup, stopping = done.stdout.split("== ")[1:]
    verified = next(line for line in startup.splitlines() if line.startswith("verilabel verify SMALL"))
    assert float(verified.split()[3].replace(",", "")) > 0
    assert [f"{rate:g} %" for rate in (0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10)] == [
        line[:6].strip() for line in stopping.split("Simulated")[0].splitlines() if line[:1].isdecimal()
    ]


def test_an_unknown_benchmark_and_a_quick_or_partial_run_that_would_be_written_are_refused() -> None:
    refused = {
        ("nonsense",): "no benchmark 'nonsense'",
        ("--quick", "--write"): "not for writing",
        ("--write", "stopping"): "every benchmark in one run",
        ("--rounds", "0"): "at least 1",
    }
    for arguments, said in refused.items():
        done = run_benchmarks(*arguments)
        assert 2 == done.returncode
        assert said in done.stderr


def test_every_benchmark_of_the_overview_has_a_module_that_measures() -> None:
    for name in BENCHMARKS:
        place = REPOSITORY / "benchmarks" / name
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        assert "def measure(settings: Settings) -> Section:" in module.read_text()


def test_a_command_that_fails_gives_an_error_and_no_figure(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    with pytest.raises(CommandFailed, match=r"(?s)exit status 3.*gone wrong"):
        run_command([sys.executable, "-c", "print('gone wrong'); exit(3)"], settings, cpu=-1)
    with pytest.raises(CommandFailed, match="could not start"):
        run_command([str(tmp_path / "none")], settings, cpu=-1)


def test_a_run_in_which_a_command_fails_writes_no_results(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(Path(sys.executable).resolve())
    (programs / "verilabel").write_text("#!/bin/sh\necho 'the program is broken'\nexit 3\n")
    (programs / "verilabel").chmod(0o755)
    path = os.pathsep.join([str(REPOSITORY / "src"), sysconfig.get_paths()["purelib"]])
    before = RESULTS.read_bytes() if RESULTS.exists() else None
    done = subprocess.run(
        [str(programs / "python"), "-m", "benchmarks", "--write", "--rounds", "1"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 1 == done.returncode
    assert "exit status 3" in done.stderr
    assert "the program is broken" in done.stderr
    assert before == (RESULTS.read_bytes() if RESULTS.exists() else None)


def test_a_command_is_pinned_charged_for_its_own_memory_and_sees_no_user_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    cpu = min(os.sched_getaffinity(0))
    code = "import os; b = b'x' * 60_000_000; print(os.sched_getaffinity(0), 'OPENAI_API_KEY' in os.environ)"
    large = run_command([sys.executable, "-c", code], Settings(tmp_path), cpu=cpu)
    small = run_command([sys.executable, "-c", "pass"], Settings(tmp_path), cpu=cpu)
    assert f"{{{cpu}}} False\n" == large.out
    assert 60 < large.rss_mb < 100
    # this test's own process is far larger than that
    assert small.rss_mb < 30
    assert 0 < small.cpu_s <= small.wall_s * 1.5


def test_what_this_machine_cannot_measure_says_so_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILABEL_DATA", str(tmp_path))
    found = measure_section("refusal", Settings(tmp_path))
    assert () == found.tables
    assert found.method.startswith("Not measured: ")
    assert "VERILABEL_DATA" in found.method or "scikit-learn" in found.method


# -- tables ------------------------------------------------------------------------------------------------


def test_a_spread_shows_its_median_and_its_range() -> None:
    assert "2.00 (1.00-30.0)" == str(Spread((30.0, 1.0, 2.0)))
    assert "1.50" == str(Spread((1.5,)))
    assert 2.5 == Spread((1.0, 2.0, 3.0, 4.0)).median
    assert spread_of([None, None]) is None
    assert Spread((2.0,)) == spread_of([None, 2.0])
    with pytest.raises(ValueError, match="no measurements"):
        Spread(())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (0.0456, "0.0456"),
        (0.5, "0.500"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (4567.8, "4,568"),
        (-1.5, "-1.50"),
    ],
)
def test_numbers_have_three_significant_digits_or_all_their_whole_ones(value: float, shown: str) -> None:
    assert shown == format_number(value)


def test_a_table_is_written_as_text_and_as_markdown_with_the_same_cells() -> None:
    table = Table("Speeds", ("tool", "per s", "n"), (("a|b", Spread((1.0, 2.0, 3.0)), 1000), ("c", None, 20)))
    assert [
        "Speeds",
        "tool             per s      n",
        "----  ----------------  -----",
        "a|b   2.00 (1.00-3.00)  1,000",
        "c                    -     20",
    ] == table.text().splitlines()
    assert [
        "**Speeds**",
        "",
        "| tool | per s | n |",
        "|---|---:|---:|",
        "| a\\|b | 2.00 (1.00-3.00) | 1,000 |",
        "| c | - | 20 |",
    ] == table.markdown().splitlines()


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cells under 2 headings"):
        Table("Speeds", ("tool", "per s"), (("a", 1.0, 2.0),))


def test_the_results_page_holds_the_machine_and_every_section_in_order() -> None:
    sections = [
        Section("First", "How.", (Table("T", ("x",), (("1",),)),), ("mind this",)),
        Section("Second", "Not measured: no data"),
    ]
    page = results_page(["machine: M", "date: D"], sections)
    places = [
        page.index(text)
        for text in (
            "- machine: M",
            "- date: D",
            "## First",
            "**T**",
            "- mind this",
            "## Second",
            "Not measured: no",
        )
    ]
    assert sorted(places) == places
    assert page.endswith("\n")


# -- what the benchmarks work on -----------------------------------------------------------------------------


def test_prompts_have_the_asked_length_and_are_all_different(tmp_path: Path) -> None:
    prompts = [prompt_of(i, 230) for i in range(500)]
    assert {230} == {len(prompt.encode()) for prompt in prompts}
    assert 500 == len(set(prompts))
    suite = load_suite(str(write_suite(tmp_path / "made", 30, prompt_bytes=230, pattern="42")))
    assert [prompt_of(i, 230) for i in range(30)] == [sample.prompt for sample in suite.samples]
    assert "regex:42" == suite.manifest.scorer


def test_the_bare_client_asks_every_prompt_once_and_the_server_says_when() -> None:
    with mock_server() as base_url:
        mock = Mock(base_url.removesuffix("/v1"))
        with pytest.raises(CommandFailed, match="asked nothing"):
            mock.seen()
        assert 40 == asyncio.run(ask_all(base_url, [f"Question {i}" for i in range(40)], 7))
        seen = mock.seen()
        assert 40 == seen.requests
        assert 0 < seen.first_request_s < seen.last_reply_s
        mock.reset()
        with pytest.raises(CommandFailed, match="asked nothing"):
            mock.seen()


def test_the_simulation_agrees_with_the_exact_dynamic_program() -> None:
    for rate in (Fraction(0), Fraction(1, 50), Fraction(1, 20)):
        exact = operating_characteristics(TAU, rate, 4572)
        found = simulate(rate, 4572, 1000)
        # the seed is fixed: this cannot fail by chance on another day
        assert abs(found.calls - exact.calls) <= 4 * found.error + 1e-9
        assert abs(found.met / 1000 - exact.met) < 0.03
        assert 1000 == found.met + found.not_met + found.undetermined


def test_the_dearest_imports_are_read_from_the_interpreters_report() -> None:
    report = (
        "import time: self [us] | cumulative | imported package\nimport time:       10 |         30 |   ssl\n"
    )
    report += "import time:      200 |        210 | asyncio\nsomething else\n"
    assert [(200, 210, "asyncio"), (10, 30, "ssl")] == dearest_imports(report, 5)
    assert [(200, 210, "asyncio")] == dearest_imports(report, 1)
