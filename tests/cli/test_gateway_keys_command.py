"""The command `verilabel gateway keys`: keys are shown once, and listed without their secrets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stores import shared_postgres
from verilabel.cli import gateway_keys
from verilabel.errors import MalformedInput, UsageError

Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line with `--json` and gives what it prints."""

    def run_line(*line: str, text: bool = False) -> Any:
        parser = argparse.ArgumentParser()
        gateway_keys.configure(parser)
        gateway_keys.run(parser.parse_args([*line, *([] if text else ["--json"])]))
        printed = capsys.readouterr().out
        return printed if text else json.loads(printed)

    return run_line


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind."""
    return str(tmp_path / "gateway.db") if request.param == "sqlite" else shared_postgres().new_database()


def test_a_key_is_made_rotated_switched_and_revoked(run: Run, store: str) -> None:
    line = ["create", "--name", "alice at work", "--user", "Alice", "--role", "approver", "--models", "a, b*"]
    made = run(*line, "--expires-days", "2", "--no-limit", "daily", "--store", store)
    holder = made["key"]["holder"]
    assert ("alice", "approver", ["a", "b*"], ["daily"]) == (
        holder["user"], holder["role"], holder["models"], holder["limits"],
    )  # fmt: skip
    assert 2 * 86_400_000_000 == holder["expires_us"] - made["key"]["created_us"]
    rotated = run("rotate", holder["id"], "--store", store)
    new_id = rotated["key"]["holder"]["id"]
    assert "switched off" == run("disable", new_id, "--store", store)["state"]
    assert run("enable", new_id, "--store", store)["state"].startswith("in force until")
    assert "revoked" == run("revoke", new_id, "--store", store)["state"]
    listed = run("list", "--store", store)
    assert [f"replaced by {new_id}", "revoked"] == [key["state"] for key in listed]
    assert all(key["created_by"].startswith("local:") for key in listed)
    secrets = [made["token"].split("_", 2)[2], rotated["token"].split("_", 2)[2]]
    assert not [secret for secret in secrets if secret in json.dumps(listed)]


def test_people_read_what_they_need(run: Run, tmp_path: Path) -> None:
    place = ["--store", str(tmp_path / "gateway.db")]
    printed = run("create", "--name", "bot", *place, text=True)
    assert printed.startswith("vk_")
    assert "shown this once" in printed
    listed = run("list", *place, text=True)
    assert "in force" in listed
    assert printed.split("\n", maxsplit=1)[0] not in listed


def test_the_store_of_a_configuration_lies_beside_it(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    config = folder / "gateway.yaml"
    config.write_text(
        "gateway: 1\nstore: people.db\nupstreams:\n  - id: local\n    base_url: http://127.0.0.1:1/v1\n"
        "models:\n  - name: m\n    to:\n      - upstream: local\n"
    )
    made = run("create", "--name", "bot", "--config", str(config))
    assert (folder / "people.db").exists()
    assert [made["key"]["holder"]["id"]] == [
        key["holder"]["id"] for key in run("list", "--store", str(folder / "people.db"))
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (["list"], UsageError),
        (["revoke", "0123"], UsageError),
        (["create", "--name", "two words and\nlines"], MalformedInput),
        (["create", "--name", "x", "--expires-days", "0"], UsageError),
        (["create", "--name", "x", "--user", "al\u0456ce"], MalformedInput),
    ],
)
def test_what_cannot_be_done_says_so(
    run: Run, tmp_path: Path, line: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run(*line, "--store", str(tmp_path / "gateway.db"))
