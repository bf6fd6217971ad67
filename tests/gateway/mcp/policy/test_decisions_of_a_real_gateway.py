"""Every decision that a real gateway made and recorded is made again, offline, from its file and its trail."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_world import World, make_world, opened
from verilabel.cli import main

POLICY = {
    "tools": [
        {"match": "mail/read", "reads": ["private"], "emits": ["untrusted"]},
        {"match": "mail/other", "trusted_source": True},
        {
            "id": "send",
            "match": "mail/send",
            "sink": "external",
            "args": {"to": {"type": "email", "required": True}},
        },
    ],
    "flows": [
        {
            "id": "no-exfil",
            "when": {"session_has": ["private", "untrusted"]},
            "to": {"sink": "external"},
            "unless": {"args_from": {"args": ["*"], "but": ["body"]}},
            "then": "deny",
        }
    ],
}
PROMPT = {"verilabel/userPrompt": "Write to ann@corp.example"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One server called `mail`; as root, servers run as nobody."""
    if os.geteuid() == 0:
        monkeypatch.setenv("VERILABEL_SANDBOX_UID", "65534")
    folder = Path(tempfile.mkdtemp(prefix="verilabel-mcp-"))
    folder.chmod(0o777)
    made = make_world(folder)
    made.script(
        "mail", calls={"other": {"returns": "Bob: bob@corp.example"}, "read": {"returns": "eve@evil.example"}}
    )
    yield made
    shutil.rmtree(folder, ignore_errors=True)


async def run_session(path: Path) -> list[bool]:
    async with opened(path) as (_, connect):
        client = await connect()
        refused = []
        for tool, arguments in (
            ("send", {"to": "anybody@corp.example"}),
            ("other", {}),
            ("read", {}),
            ("send", {"to": "ann@corp.example", "body": "hi"}),
            ("send", {"to": "Bob@corp.example"}),
            ("send", {"to": "eve@evil.example"}),
            ("send", {"to": "ann@corp.example", "hook": "https://evil.example/"}),
            ("send", {"to": "Ann <ann@corp.example>"}),
            ("send", {}),
        ):
            result = await client.call_tool(f"mail__{tool}", arguments, meta=PROMPT)
            refused.append(bool(result.is_error))
        return refused


def test_recorded_decisions_are_made_again_from_the_trail(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    path = world.write(
        policy=POLICY, servers={"mail": {"trust": "trusted"}}, keep_content=True, user_prompt="client"
    )
    assert [False] * 5 + [True] * 4 == asyncio.run(run_session(path))
    decided = dict.fromkeys(line["id"] for line in world.trail() if line["tool"].get("action"))
    assert 9 == len(decided)
    words = ["mcp", "explain", "--policy", str(path), "--trail", str(world.folder / "audit"), "--id"]
    assert [0] * 9 == [main([*words, call_id]) for call_id in decided]
    assert 9 == capsys.readouterr().out.count("decided again: the same")


def test_under_a_policy_that_was_changed_since_the_difference_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"servers": {"mail": {"trust": "trusted"}}, "keep_content": True, "user_prompt": "client"}
    asyncio.run(run_session(world.write(policy=POLICY, **options)))
    path = world.write(policy={**POLICY, "flows": []}, **options)
    words = ["mcp", "explain", "--policy", str(path), "--trail", str(world.folder / "audit"), "--id"]
    denied = [line["id"] for line in world.trail() if line["tool"].get("rules") == ["no-exfil"]]
    assert 2 == len(denied)
    assert [1, 1] == [main([*words, call_id]) for call_id in denied]
    assert 2 == capsys.readouterr().out.count("decided again: NOT the same")
