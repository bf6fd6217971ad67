"""`verilabel mcp init`: a gateway's file from a client's configuration, without its secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verilabel.cli import main
from verilabel.gateway.mcp.policy.reading import load_mcp_file

CLIENT = {
    "mcpServers": {
        "My Files": {
            "command": "npx",
            "args": ["-y", "files@1.0.0", "/data"],
            "env": {"API_KEY": "sk-very-secret"},
        },
        "search": {"url": "https://search.example.org/mcp", "headers": {"Authorization": "Bearer hidden"}},
    }
}


def test_the_servers_of_a_client_are_put_behind_the_gateway_without_their_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "client.json", tmp_path / "mcp.yaml"
    source.write_text(json.dumps(CLIENT))
    assert 0 == main(["mcp", "init", "--from", str(source), "--out", str(out)])
    said = capsys.readouterr()
    assert "very-secret" not in out.read_text() + said.err + said.out and "hidden" not in out.read_text()
    assert "npx fetches what it runs" in said.err and "SEARCH_AUTHORIZATION" in said.err
    servers = load_mcp_file(out).gateway.servers
    assert ("npx", "-y", "files@1.0.0", "/data") == servers["my-files"].command
    assert ("API_KEY",) == servers["my-files"].secrets
    assert {"Authorization": "SEARCH_AUTHORIZATION"} == servers["search"].headers_from


def test_the_example_is_a_file_that_the_gateway_reads(tmp_path: Path) -> None:
    out = tmp_path / "mcp.yaml"
    assert 0 == main(["mcp", "init", "--out", str(out)])
    servers = load_mcp_file(out).gateway.servers
    assert ["files"] == list(servers)
    # boxes take whole paths alone
    assert [tmp_path / "npm", tmp_path / "data"] == [Path(m.source) for m in servers["files"].sandbox.mounts]
    assert 2 == main(["mcp", "init", "--out", str(out)])


def test_what_is_left_to_do_can_be_read_by_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "client.json", tmp_path / "mcp.yaml"
    source.write_text(json.dumps(CLIENT))
    assert 0 == main(["mcp", "init", "--from", str(source), "--out", str(out), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (str(out), 3) == (told["file"], len(told["remarks"]))
