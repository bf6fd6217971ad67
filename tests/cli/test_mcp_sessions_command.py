"""`verilabel mcp gateway --sessions` and `--end-session`: a person sees labels and takes them away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from verilabel.cli import main
from verilabel.gateway.mcp.relay.sessions import Sessions
from verilabel.registry.database import open_database

GATEWAY = """\
verilabel: mcp/v1
policy: cautious
servers:
  mail: {command: [/usr/bin/true]}
listen: {transport: http}
"""


async def _taint(database: Path, identity: str) -> None:
    opened = await open_database(str(database))
    try:
        sessions = Sessions(opened)
        await sessions.open()
        await sessions.add(await sessions.of(identity), ["untrusted"])
    finally:
        await opened.close()


def test_a_session_is_ended_by_its_id_and_one_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mcp.yaml"
    config.write_text(GATEWAY)
    asyncio.run(_taint(tmp_path / "verilabel-mcp.db", "key:k_1"))
    assert 2 == main(["mcp", "gateway", "--policy", str(config), "--end-session", "key:k_2"])
    assert "--sessions lists them" in capsys.readouterr().err

    def labels() -> list[str]:
        assert 0 == main(["mcp", "gateway", "--policy", str(config), "--sessions", "--json"])
        return [label for each in json.loads(capsys.readouterr().out) for label in each["labels"]]

    assert ["untrusted"] == labels()
    assert 0 == main(["mcp", "gateway", "--policy", str(config), "--end-session", "key:k_1"])
    capsys.readouterr()
    assert [] == labels()
