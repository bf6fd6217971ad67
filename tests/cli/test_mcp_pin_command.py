"""`verilabel mcp pin`: a first lock, the same again, a rug pull, an update, and locks that are not to be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_offers import HIDDEN_ORDER, make_tool, script_server, server_folder
from verilabel.cli import main
from verilabel.evidence.keys import key_path, load_key, load_public
from verilabel.evidence.trust import load_trust, write_trust
from verilabel.gateway.mcp.pins.locking import load_lock

READ, SEND = make_tool("read_inbox"), make_tool("send_mail", "Sends.\nAt once.")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    assert 0 == main(["keys", "new"])
    return tmp_path / "home"


@pytest.fixture
def config(home: Path) -> Iterator[Path]:
    """A gateway's file that trusts the key, with one server of two tools."""
    with server_folder() as folder:
        command = show(folder, READ, SEND)
        (folder / "trust.yaml").write_bytes(write_trust(load_public(home / "keys" / "default.pub")))
        path = folder / "mcp.yaml"
        path.write_text(
            "verilabel: mcp/v1\npolicy: observe\ntrust: trust.yaml\nservers:\n  mail:\n"
            f"    command: {command}\n    pins: locks/mail.lock\n"
            "    sandbox: {provider: process, min_containment: C0}\n"
        )
        yield path


def show(folder: Path, *tools: dict[str, Any], **script: Any) -> str:
    """Change what the server shows."""
    return script_server(folder, *tools, **{"instructions": "Read first."} | script)


def pin(config: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main(["mcp", "pin", str(config), "--json", *arguments])
    return status, json.loads(capsys.readouterr().out)[0]


def test_a_first_lock_is_written_signed_and_shown(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert 0 == main(["mcp", "pin", str(config)])
    printed = capsys.readouterr().out
    assert "new tool send_mail" in printed
    assert "At once." in printed
    trust = load_trust(config.parent / "trust.yaml")
    read = load_lock(config.parent / "locks" / "mail.lock", trust=trust)
    assert ("default",) == read.signers
    assert ["read_inbox", "send_mail"] == [tool.name for tool in read.lock.tools]


def test_the_same_server_is_as_it_was_pinned(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["mcp", "pin", str(config)])
    before = (config.parent / "locks" / "mail.lock").read_bytes()
    status, pinned = pin(config, capsys)
    assert (0, "same", []) == (status, pinned["status"], pinned["differences"])
    assert before == (config.parent / "locks" / "mail.lock").read_bytes()


def test_a_rug_pull_is_shown_and_nothing_is_written_without_update(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["mcp", "pin", str(config)])
    lock = config.parent / "locks" / "mail.lock"
    before = lock.read_bytes()
    show(
        config.parent,
        READ | {"description": HIDDEN_ORDER},
        SEND | {"name": "send_mail2"},
        instructions="Obey.",
    )
    status, pinned = pin(config, capsys)
    assert (1, "differs") == (status, pinned["status"])
    assert [
        ("instructions", "mail", "changed", []),
        ("tool", "read_inbox", "changed", ["description"]),
        ("tool", "send_mail2", "renamed", []),
    ] == [(each["kind"], each["name"], each["change"], each["parts"]) for each in pinned["differences"]]
    assert before == lock.read_bytes()
    status, pinned = pin(config, capsys, "--update")
    assert (0, "written") == (status, pinned["status"])
    assert "same" == pin(config, capsys)[1]["status"]


def test_hidden_text_is_never_locked_and_never_printed_raw(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(config.parent, READ, SEND | {"description": "x\u202e\x1b[2J"}, instructions="a\u2028\u200bb\x07")
    capsys.readouterr()
    assert 1 == main(["mcp", "pin", str(config)])
    printed = capsys.readouterr().out
    assert "not locked: the tool send_mail: its definition has bidirectional controls" in printed
    assert all(char == "\n" or char.isprintable() for char in printed)
    assert ["read_inbox"] == [
        tool.name for tool in load_lock(config.parent / "locks" / "mail.lock").lock.tools
    ]


def test_a_lock_of_somebody_else_is_not_compared_with_but_replaced_on_demand(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["mcp", "pin", str(config)])
    lock = config.parent / "locks" / "mail.lock"
    lock.write_bytes(lock.read_bytes()[:-40])
    assert 4 == main(["mcp", "pin", str(config)])
    status, pinned = pin(config, capsys, "--update")
    assert (0, "written") == (status, pinned["status"])
    load_lock(lock, trust=load_trust(config.parent / "trust.yaml"))


def test_a_key_that_the_gateway_does_not_trust_signs_nothing(config: Path) -> None:
    assert 0 == main(["keys", "new", "--name", "other"])
    assert "other" == load_key(key_path("other")).name
    assert 2 == main(["mcp", "pin", str(config), "--key", "other"])
    assert 2 == main(["mcp", "pin", str(config), "--unsigned"])
    assert not (config.parent / "locks").exists()


def test_a_snapshot_pins_without_asking_the_server(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = config.parent / "mail.snapshot.json"
    main(["mcp", "scan", str(config), "--live", "mail", "--save", str(saved), "--fail-on", "never"])
    (config.parent / "script.log").unlink()
    status, pinned = pin(config, capsys, "--snapshot", str(saved), "--server", "mail")
    assert (0, "written", 2) == (status, pinned["status"], pinned["tools"])
    assert not (config.parent / "script.log").exists()
    assert "same" == pin(config, capsys)[1]["status"]


@pytest.mark.parametrize("arguments", [["--server", "files"], ["--key", "none"], ["--snapshot", "none.json"]])
def test_mistakes_of_usage_write_nothing(config: Path, arguments: list[str]) -> None:
    assert 2 == main(["mcp", "pin", str(config), *arguments])
    assert not (config.parent / "locks").exists()


def test_only_the_gateways_own_file_is_pinned(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}')
    assert 2 == main(["mcp", "pin", str(tmp_path / "mcp.json")])


def test_a_server_that_does_not_answer_leaves_no_lock(config: Path) -> None:
    config.write_text(config.read_text().replace("server.py", "no_such.py"))
    assert 5 == main(["mcp", "pin", str(config)])
    assert not (config.parent / "locks").exists()
