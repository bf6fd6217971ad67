"""`verilabel mcp serve` on standard input and output, spoken to by the protocol library's client and by raw lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from bundle_factory import ISSUER, LOG
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.keys import key_path, load_public, save_key
from verilabel.evidence.trust import write_trust
from verilabel.gateway.mcp.server.incidents import INCIDENT_TYPE
from verilabel.gateway.mcp.server.library import Library
from verilabel.gateway.mcp.server.serving import Desk, Rights, make_server

ERAS = ("auto", "legacy")
COMMAND = ["-m", "verilabel", "mcp", "serve"]


@pytest.fixture
def shelf(made_bundle: Path, tmp_path: Path) -> Path:
    """A folder with one good bundle, one whose evidence was changed, and a link that leads elsewhere."""
    folder = tmp_path / "bundles"
    shutil.copytree(made_bundle, folder / "good.bundle")
    shutil.copytree(made_bundle, folder / "more" / "changed.bundle")
    evidence = folder / "more" / "changed.bundle" / "records" / "evidence.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"quiz-01", b"quiz-02", 1))
    (folder / "link.bundle").symlink_to(made_bundle)
    (tmp_path / "trust.yaml").write_bytes(write_trust(ISSUER.public, LOG.public))
    return folder


@asynccontextmanager
async def served(folder: Path, *options: str, era: str = "auto") -> AsyncIterator[Client]:
    """A client of a running server; the server's home is empty."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[*COMMAND, "--bundles", str(folder), *options],
        env={"PATH": os.environ["PATH"], "VERILABEL_HOME": str(folder.parent / "home")},
        cwd=str(folder.parent),
    )
    async with Client(server, mode=era) as client:
        yield client


@asynccontextmanager
async def joined(folder: Path) -> AsyncIterator[Client]:
    """A client of the same server in this process, without a trust policy and without the right to write."""
    async with Client(make_server(Desk(Library([folder], None), None, Rights("test")))) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    document: dict[str, Any] = result.structured_content
    return document


async def fail(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool that fails."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content
    document: dict[str, Any] = result.structured_content
    return document


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_finds_a_label_and_learns_why_it_stands(shelf: Path, era: str) -> None:
    trust = str(shelf.parent / "trust.yaml")
    async with served(shelf, "--trust", trust, era=era) as client:
        tools = (await client.list_tools()).tools
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        assert "file_incident" not in [tool.name for tool in tools]
        found = await ask(client, "find_label", name="QUIZ-model")
        (label,) = found["labels"]
        assert ("good.bundle", "L2", "L3", "V2") == (
            label["bundle"],
            label["granted"],
            label["cannot_exclude_up_to"],
            label["verification"],
        )
        # the link is no bundle of this folder, and what was changed is named and gives no label
        assert ["more/changed.bundle"] == [each["bundle"] for each in found["without_label"]]
        rows = await ask(client, "explain_row", bundle="good.bundle", level="L2", row=1)
        (row,) = rows["levels"][0]["rows"]
        assert ("quiz.right", 20, 18, "met") == (row["measure"], row["n"], row["events"], row["status"])
        admission = await ask(client, "check_admission", name="quiz-model", granted="L2")
        assert (True, ["good.bundle"]) == (admission["admitted"], admission["by"])
        refused = await ask(client, "check_admission", name="quiz-model", granted="L3")
        assert not refused["admitted"]
        assert any("L3 is required" in reason for reason in refused["checked"][0]["reasons"])


async def test_a_changed_bundle_is_told_step_by_step(shelf: Path) -> None:
    async with joined(shelf) as client:
        found = await ask(client, "verify_bundle", bundle="more/changed.bundle")
        failed = [step["name"] for step in found["steps"] if step["outcome"] == "failed"]
        assert (False, "V0", ["evidence"]) == (found["genuine"], found["level"], failed)
        error = await fail(client, "explain_row", bundle="more/changed.bundle")
        assert "SealError" == error["error"]
        assert str(shelf) not in json.dumps(found) + json.dumps(error)


async def test_nobody_is_admitted_where_no_trust_policy_vouches_for_the_signer(shelf: Path) -> None:
    async with joined(shelf) as client:
        admission = await ask(client, "check_admission", name="quiz-model", granted="L2")
        assert not admission["admitted"]
        assert any("nobody vouched" in reason for reason in admission["checked"][0]["reasons"])


HOSTILE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("verify_bundle", {"bundle": "../bundles/good.bundle"}),
    ("verify_bundle", {"bundle": "link.bundle"}),
    ("verify_bundle", {"bundle": "/etc"}),
    ("verify_bundle", {"bundle": "good.bundle\x00"}),
    ("verify_bundle", {"bundle": "x" * 301}),
    ("verify_bundle", {"bundle": 7}),
    ("verify_bundle", {}),
    ("verify_bundle", {"bundle": "good.bundle", "trust": "mine"}),
    ("show_suite", {"suite": "../../etc/passwd"}),
    ("show_suite", {"suite": "."}),
    ("explain_rubric", {"rubric": "/etc/passwd"}),
    ("explain_row", {"bundle": "good.bundle", "row": 10**9}),
    ("explain_row", {"bundle": "good.bundle", "level": "L9"}),
    ("check_admission", {"name": "quiz-model"}),
    ("file_incident", {"title": "a", "description": "b", "severity": "low"}),
    ("shell", {"command": "id"}),
)


async def test_hostile_arguments_are_errors_with_no_file_read_or_written(shelf: Path) -> None:
    async with joined(shelf) as client:
        for tool, arguments in HOSTILE:
            error = await fail(client, tool, **arguments)
            assert error["error"] in ("UsageError", "MalformedInput", "PolicyError"), (tool, arguments)
            assert "root:" not in json.dumps(error)
    assert not (shelf.parent / "incidents").exists()


async def test_suites_are_described_without_their_prompts(shelf: Path) -> None:
    async with joined(shelf) as client:
        suites = await ask(client, "list_suites")
        assert "core/bias@1.0.0" in [suite["suite"] for suite in suites["suites"]]
        shown = await ask(client, "show_suite", suite="core/harm-direct")
        assert "samples" not in shown and "prompts" not in shown
        assert shown["digest"].startswith("sha256:")
        assert {"cap/planning@1.0.0", "agent/injection@1.0.0"} <= {
            suite["suite"] for suite in suites["suites"]
        }
        shown = await ask(client, "show_suite", suite="cap/planning@1.0.0")
        # its digests are a run's own, as its seed is
        assert "generated" == shown["data"] and "digest" not in shown
        rubrics = await ask(client, "list_rubrics")
        assert "verilabel/core@0.1.0" in [rubric["rubric"] for rubric in rubrics["rubrics"]]


async def test_labels_and_rubrics_can_be_read_by_address(shelf: Path) -> None:
    async with joined(shelf) as client:
        addresses = {str(each.uri) for each in (await client.list_resources()).resources}
        assert "verilabel://labels/good.bundle" in addresses
        label = (await client.read_resource("verilabel://labels/good.bundle")).contents[0]
        assert "L2" == json.loads(label.text)["granted"]  # type: ignore[union-attr]
        rubric = (await client.read_resource("verilabel://rubrics/verilabel%2Fcore%400.1.0")).contents[0]
        assert "id: verilabel/core" in rubric.text  # type: ignore[union-attr]
        for hostile in (
            "verilabel://rubrics/%2Fetc%2Fpasswd",
            "verilabel://labels/..%2F..",
            "file:///etc/passwd",
        ):
            with pytest.raises(MCPError, match=r"no such|nothing"):
                await client.read_resource(hostile)


async def test_an_incident_is_kept_signed_and_bound_to_the_label(shelf: Path) -> None:
    home = shelf.parent / "home"
    save_key(ISSUER, key_path("desk", home))
    async with served(shelf, "--allow-write", "--key", "desk") as client:
        filed = await ask(
            client,
            "file_incident",
            title="It answered what it should not",
            description="Twice, on two days.",
            severity="high",
            bundle="good.bundle",
            occurred="2026-03-01T12:00:00Z",
        )
        error = await fail(
            client,
            "file_incident",
            title="a",
            description="b",
            severity="low",
            occurred="2026-13-01T12:00:00Z",
        )
        assert "MalformedInput" == error["error"]
    (kept,) = (shelf.parent / "incidents").iterdir()
    key = load_public(home / "keys" / "desk.pub")
    incident = json.loads(open_envelope(kept.read_bytes(), [key], payload_type=INCIDENT_TYPE).payload)
    assert (filed["id"], "stdio", "high") == (incident["id"], incident["filed_by"], incident["severity"])
    assert incident["label_sha256"].startswith("sha256:")
    assert 0o600 == kept.stat().st_mode & 0o777


def test_lines_that_are_read_differently_elsewhere_are_refused_under_their_id(shelf: Path) -> None:
    def line(arguments: str, number: int) -> str:
        return (
            f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call",'
            f'"params":{{"name":"find_label","arguments":{arguments}}}}}\n'
        )

    lines = [
        line('{"name":"safe","name":"evil"}', 1),
        line('{"name":NaN}', 2),
        line('{"name":' + "[" * 100 + "]" * 100 + "}", 3),
        "[]\n",
        '{"jsonrpc":"2.0","id":4,"id":5,"method":"ping"}\n',
        "x" * (5 * 2**20) + "\n",
        "no message\n",
    ]
    done = subprocess.run(
        [sys.executable, *COMMAND, "--bundles", str(shelf)],
        input="".join(lines),
        capture_output=True,
        text=True,
        check=True,
        cwd=shelf.parent,
    )
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert [1, 2, 3, None, None, None, None] == [answer["id"] for answer in answers]
    assert all("not taken" in answer["error"]["message"] for answer in answers)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bundles", "nowhere"], "no such folder"),
        (["--token-env", "TOKEN"], "tokens are for HTTP"),
        (["--http", "127.0.0.1:0", "--allow-write"], "writing needs a token"),
        (["--http", "0.0.0.0:0"], "off loopback"),
        (["--http", "here"], "no address"),
        (["--key", "desk"], "nobody may file"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused_before_anything_is_served(
    tmp_path: Path, options: list[str], says: str
) -> None:
    from verilabel.cli import run_line
    from verilabel.errors import VerilabelError

    with pytest.raises(VerilabelError, match=says):
        run_line(["mcp", "serve", *options])
