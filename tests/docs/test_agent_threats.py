"""The page of threats: every row names tests, and every test that is named exists and is not switched off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "agent-threats.md"
_NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
SUBJECTS = (
    "hijacked",
    "poisoned",
    "shadow",
    "renamed",
    "instructions",
    "homoglyph",
    "duplicate keys",
    "batches",
    "header and body",
    "forged",
    "used again",
    "other arguments",
    "another principal",
    "expired",
    "at once",
    "new session",
    "killed",
    "10 mib",
    "10,000 tools",
    "slowly",
    "fan of calls",
    "injected",
    "environment",
    "unknown label",
    "host root",
    "/proc/1/environ",
    "core_pattern",
    "x32",
    "outlives its parent",
    "fork bombs",
    "memory bombs",
    "floods of output",
    "leftovers",
    "a link, a pipe",
    "transcript",
    "exports leak",
)
"""Words of the threats that the page has to have a row about."""


def rows_of(page: str) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Threat, what holds, and the tests by file and name, of every row of the tables of a page."""
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| threat |"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert 3 == len(cells), line
            yield cells[0], cells[1], _NAMED.findall(cells[2])


@cache
def collected_tests(file: Path) -> frozenset[str]:
    """The tests of a file that pytest collects and that are not skipped whatever the machine."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(each.name for each in functions if not any(map(_is_skip, each.decorator_list)))


def _is_skip(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(named, ast.Attribute) and named.attr in ("skip", "xfail")


def missing_tests(page: str, folder: Path) -> list[str]:
    """The tests that a page names and that are not there, as `FILE::NAME`."""
    named = [place for _, _, places in rows_of(page) for place in places]
    return [
        f"{file}::{name}"
        for file, name in named
        if not (folder / file).is_file() or name not in collected_tests(folder / file)
    ]


def test_every_test_that_the_page_names_exists() -> None:
    assert [] == missing_tests(PAGE.read_text(encoding="utf-8"), TESTS)


def test_every_row_says_what_holds_and_names_a_test() -> None:
    rows = list(rows_of(PAGE.read_text(encoding="utf-8")))
    assert len(rows) > 40
    assert [] == [threat for threat, holds, places in rows if not holds or not places]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_there_is_a_row_about_every_threat(subject: str) -> None:
    threats = [threat.lower() for threat, _, _ in rows_of(PAGE.read_text(encoding="utf-8"))]
    assert any(subject in threat for threat in threats)


def test_a_test_that_is_renamed_taken_away_or_skipped_is_missed(tmp_path: Path) -> None:
    text = (
        "import pytest\n\ndef test_a():\n    pass\n\nasync def test_b():\n    pass\n\n"
        "@pytest.mark.skip(reason='later')\ndef test_c():\n    pass\n\n"
        "@pytest.mark.skipif(True, reason='here')\ndef test_d():\n    pass\n\n# def test_e():\n"
    )
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    names = " ".join(f"`test_it.py::test_{letter}`" for letter in "abcde")
    page = f"| threat | what holds | tests |\n|---|---|---|\n| x | y | {names} `test_gone.py::test_a` |\n"
    assert ["test_it.py::test_c", "test_it.py::test_e", "test_gone.py::test_a"] == missing_tests(
        page, tmp_path
    )


def test_a_named_test_is_found_wherever_it_stands_in_a_cell() -> None:
    (row,) = rows_of("| a | b | `x/test_y.py::test_z`<br>`test_w.py::test_v` |")
    assert ("a", "b", [("x/test_y.py", "test_z"), ("test_w.py", "test_v")]) == row
