"""The command `verilabel approvals`, over a gateway's address and over a store on this machine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.administration.served import Served, administration
from gateway.approvals.held import a_desk, action
from servers.scripted import response, scripted_server
from stores import opened, pass_time, shared_postgres
from verilabel import cli
from verilabel.evidence.keys import new_key, save_key
from verilabel.gateway.approvals.interface import Approval
from verilabel.gateway.approvals.signing import open_decision

Run = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served administration."""
    with administration(str(tmp_path_factory.mktemp("served") / "gateway.db")) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The path of a store."""
    return tmp_path / "gateway.db"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line; its status, and the JSON that it prints where `--json` is on it."""

    def run_line(*line: str) -> tuple[int, Any]:
        status = cli.main(["approvals", *line])
        printed = capsys.readouterr()
        text = printed.out if status == 0 else printed.err
        return status, json.loads(text) if "--json" in line else text

    return run_line


def hold_in(store: object, word: object = "x", **given: Any) -> Approval:
    """Hold an action in a store."""

    async def hold() -> Approval:
        async with a_desk(str(store)) as desk:
            return await desk.queue.hold(action(word, **given))

    return asyncio.run(hold())


def through(served: Served, monkeypatch: pytest.MonkeyPatch, user: str) -> list[str]:
    """The options of somebody who asks the gateway."""
    monkeypatch.setenv("MY_TOKEN", served.tokens.get(user, user))
    return ["--gateway", served.url, "--token-env", "MY_TOKEN", "--json"]


def test_an_approver_lists_shows_and_approves_through_the_gateway(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = served.hold("cli")
    place = through(served, monkeypatch, "reviewer")
    assert held.id in [one["id"] for one in run("list", *place)[1]]
    status, decided = run("approve", held.id, "--reason", "fine", *place)
    assert (0, "approved") == (status, decided["state"])
    status, shown = run("show", held.id, *place)
    assert (0, "reviewer", "fine") == (status, shown["votes"][0]["by"], shown["votes"][0]["reason"])
    status, error = run("deny", held.id, "--reason", "late", *place)
    assert (1, "CheckFailed") == (status, error["error"])


def test_the_statuses_tell_why_a_vote_did_not_count(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = served.hold("statuses", requester="reviewer", key="other")
    for user, status in (
        ("reviewer", 7),
        ("asker", 7),
        ("auditor", 7),
        ("vk_000000000000_nobody_at_all", 7),
        ("colleague", 0),
    ):
        place = through(served, monkeypatch, user)
        assert (user, status) == (user, run("approve", held.id, "--reason", "r", *place)[0])
    assert 2 == run("show", "ap_unknown", *through(served, monkeypatch, "colleague"))[0]


def test_who_asked_sees_the_state(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    held = served.hold("mine")
    status, shown = run("show", held.id, *through(served, monkeypatch, "asker"))
    assert (0, "pending") == (status, shown["state"])
    assert "summary" not in shown


def test_changes_are_printed_as_they_happen(served: Served) -> None:
    command = [sys.executable, "-m", "verilabel", "approvals", "watch", "--json", "--gateway", served.url]
    environment = {"VERILABEL_TOKEN": served.tokens["auditor"], "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            made: set[str] = set()
            # the stream begins when the process is ready: what was held before is not told
            while not made & ({json.loads(line)["id"]} if (line := _line(served, process, made)) else set()):
                pass
        finally:
            process.terminate()


def _line(served: Served, process: subprocess.Popen[str], made: set[str]) -> str:
    import select

    made.add(served.hold(f"watched {len(made)}").id)
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 0.5)
    return process.stdout.readline() if readable else ""


@pytest.mark.parametrize(
    "raw",
    [
        response(b"not json"),
        response(b"[]"),
        response(b'{"approvals": 1', length=100),
        response(b"", status="302 Found\r\nlocation: http://127.0.0.1:1/"),
        response(b"<html>", status="502 Bad Gateway"),
        b"nonsense\r\n\r\n",
    ],
)
def test_a_bad_answer_is_an_error_and_no_traceback(
    raw: bytes, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILABEL_TOKEN", "vk_0123456789ab_secret")
    with scripted_server(raw) as url:
        status, error = run("show", "ap_x", "--gateway", url.removesuffix("/v1"), "--json")
    assert status in (2, 5)
    assert "secret" not in json.dumps(error)


def test_a_key_is_not_sent_in_the_open_to_another_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILABEL_TOKEN", "vk_0123456789ab_secret")
    assert 7 == run("list", "--gateway", "http://gateway.example.org")[0]
    assert 5 == run("list", "--gateway", "http://127.0.0.1:1")[0]


# -- a store on this machine -------------------------------------------------------------------------------------


def test_a_store_is_listed_and_decided_in_a_users_name_which_the_record_says(
    store: Path, run: Run, tmp_path: Path
) -> None:
    held = hold_in(store)
    key = new_key("gateway.example.org")
    save_key(key, tmp_path / "gateway.key")
    place = ["--store", str(store), "--json"]
    assert [held.id] == [one["id"] for one in run("list", *place)[1]]
    line = [
        "approve",
        held.id,
        "--reason",
        "fine",
        "--as",
        "Reviewer",
        "--key",
        str(tmp_path / "gateway.key"),
    ]
    status, decided = run(*line, *place)
    assert (0, "approved", "reviewer") == (status, decided["state"], decided["votes"][0]["by"])
    shown = run("show", held.id, *place)[1]
    decision = open_decision(shown["votes"][0]["envelope"], [key.public])
    assert ("reviewer", True) == (decision.by, decision.key.startswith("local:"))
    assert [] == run("list", *place)[1]
    assert [held.id] == [one["id"] for one in run("list", "--state", "all", *place)[1]]


def test_rules_of_votes_hold_in_the_shell_too(store: Path, run: Run) -> None:
    held = hold_in(store, quorum=2)
    place = ["--reason", "r", "--store", str(store)]
    assert 7 == run("approve", held.id, "--as", "asker", *place)[0]
    assert 2 == run("approve", held.id, *place)[0]
    assert 3 == run("approve", held.id, "--as", "a b", *place)[0]
    assert 2 == run("approve", "ap_none", "--as", "reviewer", *place)[0]
    assert 0 == run("approve", held.id, "--as", "reviewer", *place)[0]
    assert 1 == run("approve", held.id, "--as", "REVIEWER", *place)[0]
    assert 0 == run("deny", held.id, "--as", "colleague", *place)[0]
    assert 1 == run("deny", held.id, "--as", "another", *place)[0]


def test_a_postgresql_store_is_decided_through_the_gateway_alone(run: Run) -> None:
    url = shared_postgres().new_database()
    held = hold_in(url)
    assert [held.id] == [one["id"] for one in run("list", "--store", url, "--json")[1]]
    status, error = run("approve", held.id, "--reason", "r", "--as", "reviewer", "--store", url, "--json")
    assert (2, "UsageError") == (status, error["error"])


def test_a_store_that_is_not_there_is_not_made(store: Path, run: Run) -> None:
    assert 2 == run("list", "--store", str(store))[0]
    assert not store.exists()


def test_options_of_a_store_and_of_a_gateway_do_not_mix(store: Path, run: Run) -> None:
    line = ["approve", "ap_x", "--reason", "r", "--gateway", "http://127.0.0.1:1"]
    assert 2 == run(*line, "--as", "reviewer")[0]
    assert 2 == run(*line, "--store", str(store))[0]


def test_what_is_printed_moves_no_cursor(store: Path, run: Run) -> None:
    hostile = "\x1b[2J\u202eok\nap_x: approved"
    held = hold_in(store, summary=hostile, reason=(hostile,), requester=hostile, route=hostile)
    for line in (["list"], ["show", held.id]):
        printed = run(*line, "--store", str(store))[1]
        assert "\x1b" not in printed
        assert "\u202e" not in printed
        assert "\nap_x: approved" not in printed


def test_an_expired_one_says_so(store: Path, run: Run) -> None:
    held = hold_in(store)

    async def later() -> None:
        async with opened(str(store)) as database:
            await pass_time(database, 3601)

    asyncio.run(later())
    assert "expired" == run("show", held.id, "--store", str(store), "--json")[1]["state"]
    assert 1 == run("approve", held.id, "--reason", "r", "--as", "reviewer", "--store", str(store))[0]


def test_votes_are_checked_against_their_signatures(store: Path, run: Run, tmp_path: Path) -> None:
    save_key(new_key("gateway.example.org"), tmp_path / "gateway.key")
    save_key(new_key("other.example.org"), tmp_path / "other.key")
    signed, unsigned = hold_in(store, "signed"), hold_in(store, "unsigned")
    place = ["--reason", "fine", "--as", "reviewer", "--store", str(store)]
    assert 0 == run("approve", signed.id, "--key", str(tmp_path / "gateway.key"), *place)[0]
    assert 0 == run("approve", unsigned.id, *place)[0]

    def status(approval: str, signer: str) -> int:
        return run("show", approval, "--signer", str(tmp_path / signer), "--store", str(store))[0]

    assert [0, 4, 4] == [
        status(signed.id, "gateway.pub"), status(signed.id, "other.pub"), status(unsigned.id, "gateway.pub"),
    ]  # fmt: skip

    async def forge() -> None:
        async with opened(str(store)) as database:
            await database.execute("UPDATE approval_votes SET reason = ?", ("another reason",))

    asyncio.run(forge())
    assert 4 == status(signed.id, "gateway.pub")
