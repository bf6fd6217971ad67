"""The gateway's main page: its configuration is read, its program runs, and its tables are those of the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gateway.clients.wired import Wired, route_of
from verilabel.gateway.approvals.interface import State
from verilabel.gateway.policy.document import AuditSettings, Gateway, ModelRoute, Target, Telemetry, Upstream
from verilabel.gateway.policy.forms import convert_document
from verilabel.gateway.policy.gateway_checks import lint_gateway
from verilabel.gateway.server import RESTART_WORDS
from verilabel.gateway.upstream.interface import FailureKind
from verilabel.records.strict_yaml import load_strict_yaml

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs" / "gateway.md").read_text("utf-8")
SOURCES = REPOSITORY / "src" / "verilabel" / "gateway"
BUILT = {
    "approval_{approval.state}": {f"approval_{state}" for state in get_args(State) if state != "approved"},
    "upstream_{failure.kind}": {f"upstream_{kind}" for kind in get_args(FailureKind) if kind != "status"},
}
"""Codes that are put together: an approved action passes, and a status has codes of its own."""


def _block(mark: str) -> str:
    [found] = re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_configuration_on_the_page_is_one() -> None:
    document = load_strict_yaml(_block("yaml: gateway").encode(), where="gateway.md")
    gateway = convert_document(document, Gateway, "gateway.md")
    assert [] == lint_gateway(gateway)


@pytest.mark.parametrize("form", [Gateway, Upstream, Target, ModelRoute, AuditSettings, Telemetry])
def test_every_word_of_the_configuration_is_on_the_page(form: type) -> None:
    section = PAGE[PAGE.index("## gateway.yaml") : PAGE.index("## Headers")]
    words = {field.encode_name for field in msgspec.structs.fields(form)}
    assert set() == {word for word in words if f"`{word}`" not in section}


def test_the_words_that_take_a_restart_are_those_of_the_page() -> None:
    [listed] = re.findall(r"^These take a restart.*?: (.*?)\.\s", PAGE, re.DOTALL | re.MULTILINE)
    assert set(RESTART_WORDS) == set(re.findall(r"`([a-z_]+)`", listed))


def test_the_program_on_the_page_runs(wired: Wired) -> None:
    program = _block("python: run")
    for said, meant in {
        "http://127.0.0.1:8080": wired.gateway.url,
        "vk_...": wired.key,
        '"gpt-4o"': repr(route_of("gpt")),
        '"claude-sonnet-5"': repr(route_of("claude")),
    }.items():
        assert said in program
        program = program.replace(said, meant)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ("", "The answer is 42.\n" + "The answer is 42." * 2 + "\n") == (done.stderr, done.stdout)


def test_the_codes_of_refusals_are_those_of_the_page() -> None:
    section = PAGE[PAGE.index("## Refusals") : PAGE.index("## Waiting for people")]
    named = set()
    for row in re.findall(r"^\| [0-9x, ]+ \| (.*?) \|", section, re.MULTILINE):
        named |= set(re.findall(r"`([a-z_]+)`", row)) - {"poll"}
    assert _codes() == named


def _codes() -> set[str]:
    """Every code with which the source makes a refusal."""
    codes: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        if not {"administration", "mcp"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                for code in _code_of(node, path.name):
                    codes |= BUILT.get(code, {code})
    return codes


def _code_of(node: ast.AST, file: str) -> Iterator[str]:
    given: ast.expr | None = None
    if isinstance(node, ast.Tuple) and file == "connection.py" and len(node.elts) == 3:
        given = node.elts[1] if isinstance(node.elts[0], ast.Constant) else None
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        place = {"refuse": 2, "_refuse": 3, "_refused": 0}.get(node.func.id)
        if place is not None and len(node.args) > place:
            given = node.args[place]
        elif node.func.id == "Refusal":
            given = next((each.value for each in node.keywords if each.arg == "code"), None)
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        yield given.value
    elif isinstance(given, ast.JoinedStr):
        yield ast.unparse(given)[2:-1]
