"""Held actions: kept for good before anything is answered, decided by others, used once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.held import FIRST, KEY, SECOND, THIRD, a_desk, action, person, subject
from stores import pass_time, shared_postgres
from verilabel.errors import LimitExceeded, MalformedInput, SealError
from verilabel.evidence.keys import new_key
from verilabel.evidence.log import LocalLog
from verilabel.gateway.approvals.deciding import Desk, VoteRefused, outcome_of
from verilabel.gateway.approvals.interface import Vote
from verilabel.gateway.approvals.queue import QueueLimits
from verilabel.gateway.approvals.signing import DecisionLog, open_decision
from verilabel.records.canonical import digest
from verilabel.registry.clock import read_clock
from verilabel.registry.database import DatabaseLost

FULL = os.environ.get("VERILABEL_FULL_SIZE") == "1"
"""The nightly size: 10,000 held actions over kill -9, where the quick run has some hundreds."""


async def test_a_held_action_waits_with_all_that_people_need(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(
            action(payload=b"the reply", quorum=2, roles=("approver",), expires_s=60)
        )
        found = await desk.queue.find(held.id)
        assert held == found
        assert ("pending", 60_000_000, 2, ("approver",)) == (
            held.state, held.expires_us - held.created_us, held.action.quorum, held.action.roles,
        )  # fmt: skip
        assert None is await desk.queue.find("ap_unknown")


async def test_the_same_subject_is_held_once_while_it_waits_or_is_approved(store_url: str) -> None:
    async with a_desk(store_url) as desk, a_desk(store_url) as elsewhere:
        first = await desk.queue.hold(action())
        many = await asyncio.gather(*(d.queue.hold(action()) for d in (desk, elsewhere) * 4))
        assert {first.id} == {again.id for again in many}
        await desk.decide(first.id, by=FIRST, verdict="approve", reason="known")
        assert (first.id, "approved") == ((again := await desk.queue.hold(action())).id, again.state)
        assert await desk.queue.consume(subject()) is not None
        assert first.id != (await desk.queue.hold(action())).id


async def test_an_approved_action_is_used_once_with_its_payload_which_is_then_gone(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(payload=b"the held reply"))
        assert None is await desk.queue.consume(subject())
        approved = await desk.decide(held.id, by=FIRST, verdict="approve", reason="fine")
        assert "approved" == approved.state
        assert None is await desk.queue.consume(subject("another"))
        used = await desk.queue.consume(subject())
        assert used is not None
        assert ("consumed", b"the held reply", ["reviewer"]) == (
            used.state, used.action.payload, [vote.by for vote in used.votes],
        )  # fmt: skip
        assert None is await desk.queue.consume(subject())
        assert [(b"",)] == await desk.queue.database.fetch("SELECT payload FROM approvals")


@pytest.mark.parametrize("how", ["deny", "expire"])
async def test_a_payload_is_gone_once_it_was_denied_or_expired(store_url: str, how: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(payload=b"the held reply"))
        if how == "deny":
            await desk.decide(held.id, by=FIRST, verdict="deny", reason="no")
        else:
            await pass_time(desk.queue.database, 3601)
            await desk.queue.expire_overdue()  # or the queue's own watch was faster
        assert [(b"", 0)] == await desk.queue.database.fetch("SELECT payload, payload_bytes FROM approvals")
        assert None is await desk.queue.consume(subject())


async def test_a_forgotten_payload_is_in_no_file_any_more(tmp_path: Path) -> None:
    async with a_desk(str(tmp_path / "gateway.db")) as desk:
        held = await desk.queue.hold(action(payload=b"the held reply " * 500))
        await desk.decide(held.id, by=FIRST, verdict="deny", reason="no")
    assert 0 == bytes_in(tmp_path).count(b"the held reply")


def bytes_in(folder: Path) -> bytes:
    """All bytes of the files in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def test_asking_for_an_approval_that_is_not_there_writes_nothing(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        await desk.queue.hold(action())
        await desk.queue.watch.close()  # which looks for what is overdue, and moves the clock then
        before = (await read_clock(desk.queue.database)).tick
        for word in ("x", "unknown"):
            assert None is await desk.queue.consume(subject(word))
        assert before == (await read_clock(desk.queue.database)).tick


async def test_a_held_reply_can_be_read_until_it_is_used(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(payload=b"the held reply"))
        assert b"the held reply" == await desk.queue.read_payload(held.id)
        await desk.decide(held.id, by=FIRST, verdict="approve", reason="go")
        await desk.queue.consume(subject())
        assert [b"", b""] == [await desk.queue.read_payload(key) for key in (held.id, "ap_none")]


# -- who decides -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (person("asker"), "own_request"),
        (person("ASKER", "admin"), "own_request"),
        (person("", "admin"), "own_request"),
        (person("reviewer", "user"), "role"),
        (person("reviewer", "auditor"), "role"),
    ],
)
async def test_who_asked_or_has_no_such_role_decides_nothing(store_url: str, by: object, why: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action())
        for verdict in ("approve", "deny"):
            with pytest.raises(VoteRefused) as caught:
                await desk.decide(held.id, by=by, verdict=verdict, reason="mine")  # type: ignore[arg-type]
            assert why == caught.value.why
        found = await desk.queue.find(held.id)
        assert found is not None
        assert ("pending", ()) == (found.state, found.votes)


async def test_the_requesters_key_decides_nothing_even_under_another_user(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(key=FIRST.id))
        with pytest.raises(VoteRefused) as caught:
            await desk.decide(held.id, by=FIRST, verdict="approve", reason="mine")
        assert "own_request" == caught.value.why


async def test_a_quorum_is_of_different_users(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(quorum=2))
        assert "pending" == (await desk.decide(held.id, by=FIRST, verdict="approve", reason="a")).state
        second_key = person("reviewer", "admin")
        with pytest.raises(VoteRefused) as caught:
            await desk.decide(held.id, by=second_key, verdict="approve", reason="again")
        assert "voted" == caught.value.why
        assert None is await desk.queue.consume(subject())
        approved = await desk.decide(held.id, by=SECOND, verdict="approve", reason="b")
        assert ("approved", ["reviewer", "colleague"]) == (
            approved.state,
            [vote.by for vote in approved.votes],
        )


async def test_one_denial_denies_whatever_others_said(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(quorum=3))
        await desk.decide(held.id, by=FIRST, verdict="approve", reason="a")
        assert "denied" == (await desk.decide(held.id, by=SECOND, verdict="deny", reason="b")).state
        with pytest.raises(VoteRefused) as caught:
            await desk.decide(held.id, by=THIRD, verdict="approve", reason="c")
        assert "decided" == caught.value.why


async def test_votes_that_come_together_are_counted_once_each(store_url: str) -> None:
    async with a_desk(store_url) as desk, a_desk(store_url) as elsewhere:
        held = await desk.queue.hold(action(quorum=3))
        people = [person(f"p{n % 3}") for n in range(9)]

        async def vote(n: int) -> bool:
            try:
                await (desk, elsewhere)[n % 2].decide(held.id, by=people[n], verdict="approve", reason="r")
            except VoteRefused:
                return False
            return True

        assert 3 == sum(await asyncio.gather(*map(vote, range(9))))
        found = await elsewhere.queue.find(held.id)
        assert found is not None
        assert ("approved", 3) == (found.state, len(found.votes))


@given(
    votes=st.lists(st.tuples(st.sampled_from("abcABC"), st.sampled_from(["approve", "deny"])), max_size=8),
    quorum=st.integers(1, 4),
)
def test_votes_approve_only_with_a_quorum_of_people_and_no_denial(
    votes: list[tuple[str, str]], quorum: int
) -> None:
    cast = [Vote(by=by, verdict=verdict, reason="r", at_us=0) for by, verdict in votes]  # type: ignore[arg-type]
    found = outcome_of(cast, quorum)
    denied = any(verdict == "deny" for _, verdict in votes)
    people = {by.lower() for by, verdict in votes if verdict == "approve"}
    assert ("denied" if denied else "approved" if len(people) >= quorum else "pending") == found


@pytest.mark.parametrize("reason", ["", "   ", "x" * 2001])
async def test_a_decision_needs_a_reason(store_url: str, reason: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action())
        with pytest.raises(MalformedInput, match="reason"):
            await desk.decide(held.id, by=FIRST, verdict="approve", reason=reason)


# -- time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["pending", "approved"])
async def test_what_expired_is_denied_and_no_clock_that_is_set_back_revives_it(
    store_url: str, state: str
) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(expires_s=60))
        if state == "approved":
            await desk.decide(held.id, by=FIRST, verdict="approve", reason="in time")
        await pass_time(desk.queue.database, 61)
        found = await desk.queue.find(held.id)
        assert found is not None
        assert "expired" == found.state
        await pass_time(desk.queue.database, -3600)
        assert None is await desk.queue.consume(subject())
        with pytest.raises(VoteRefused) as caught:
            await desk.decide(held.id, by=SECOND, verdict="approve", reason="late")
        assert "decided" == caught.value.why


async def test_an_overdue_approval_is_neither_used_nor_voted_on_although_nobody_looked_before(
    store_url: str,
) -> None:
    async with a_desk(store_url) as desk:
        approved = await desk.queue.hold(action("a"))
        await desk.decide(approved.id, by=FIRST, verdict="approve", reason="in time")
        pending = await desk.queue.hold(action("b"))
        await pass_time(desk.queue.database, 3601)
        assert None is await desk.queue.consume(subject("a"))
        with pytest.raises(VoteRefused):
            await desk.decide(pending.id, by=SECOND, verdict="approve", reason="late")
        assert ["expired", "expired"] == [found.state for found in await desk.queue.list_approvals()]
        again = await desk.queue.hold(action("b"))
        assert pending.id != again.id


async def test_a_clock_set_back_before_the_end_gives_no_more_time_than_was_left(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action(expires_s=600))
        await pass_time(desk.queue.database, 500)
        await desk.queue.expire_overdue()
        await pass_time(desk.queue.database, -86_400)
        assert 0 == await desk.queue.expire_overdue()
        await pass_time(desk.queue.database, 101)
        found = await desk.queue.find(held.id)
        assert found is not None
        assert "expired" == found.state


# -- waiting -----------------------------------------------------------------------------------------------------


async def test_who_waits_is_woken_by_a_decision_here_or_in_another_worker(store_url: str) -> None:
    async with a_desk(store_url) as desk, a_desk(store_url) as elsewhere:
        for decider in (desk, elsewhere):
            held = await desk.queue.hold(action(decider is desk))
            waiting = asyncio.create_task(desk.queue.wait(held.id, 30))
            await asyncio.sleep(0)
            await decider.decide(held.id, by=FIRST, verdict="approve", reason="go")
            async with asyncio.timeout(20):
                assert "approved" == (await waiting).state


async def test_waiting_ends_with_the_approval_as_it_stands(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action())
        assert "pending" == (await desk.queue.wait(held.id, 0.01)).state
        assert "pending" == (await desk.queue.wait(held.id, 0)).state
        await desk.decide(held.id, by=FIRST, verdict="deny", reason="no")
        assert "denied" == (await desk.queue.wait(held.id, 30)).state
        with pytest.raises(MalformedInput):
            await desk.queue.wait("ap_none", 30)


async def test_who_waits_sees_it_expire(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = await desk.queue.hold(action())
        waiting = asyncio.create_task(desk.queue.wait(held.id, 30))
        await asyncio.sleep(0)
        await pass_time(desk.queue.database, 3601)
        async with asyncio.timeout(20):
            assert "expired" == (await waiting).state


async def test_a_reader_hears_of_every_change_in_order(store_url: str) -> None:
    async with a_desk(store_url) as desk, a_desk(store_url) as elsewhere:
        await elsewhere.queue.watch.begin()
        with elsewhere.queue.watch.reading() as changes:
            held = await desk.queue.hold(action(quorum=2))
            await desk.decide(held.id, by=FIRST, verdict="approve", reason="a")
            await desk.decide(held.id, by=SECOND, verdict="approve", reason="b")
            async with asyncio.timeout(20):
                while (change := await changes.get()) is not None and change.state != "approved":
                    assert (held.id, "pending") == (change.approval, change.state)


async def test_a_reader_that_does_not_read_is_ended_and_takes_no_memory(store_url: str) -> None:
    from verilabel.gateway.approvals.watching import MAX_BACKLOG, Change

    async with a_desk(store_url) as desk:
        with desk.queue.watch.reading() as changes:
            for n in range(MAX_BACKLOG + 50):
                desk.queue.watch.note(Change("ap", "pending", n))
            got = [changes.get_nowait() for _ in range(changes.qsize())]
        assert (MAX_BACKLOG, None) == (len(got), got[-1])


async def test_a_sweep_of_many_is_told_whole(store_url: str) -> None:
    async with a_desk(store_url) as desk, a_desk(store_url) as elsewhere:
        for n in range(60):
            await desk.queue.hold(action(n))
        await elsewhere.queue.watch.begin()
        with elsewhere.queue.watch.reading() as changes:
            await pass_time(desk.queue.database, 3601)
            expired: set[str] = set()
            async with asyncio.timeout(20):
                while len(expired) < 60:
                    change = await changes.get()
                    assert change is not None
                    expired |= {change.approval} if change.state == "expired" else set()


# -- lists and bounds --------------------------------------------------------------------------------------------


async def test_lists_are_filtered_and_paged_newest_first(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        held = [await desk.queue.hold(action(n, requester="asker" if n % 2 else "second")) for n in range(6)]
        await desk.decide(held[0].id, by=FIRST, verdict="deny", reason="no")
        ids = [one.id for one in reversed(held)]
        assert set(ids) == {found.id for found in await desk.queue.list_approvals()}
        pages = await desk.queue.list_approvals(limit=4)
        pages += await desk.queue.list_approvals(limit=4, before=pages[-1].id)
        assert sorted(ids) == sorted(found.id for found in pages)
        assert [("denied", "reviewer")] == [
            (found.state, found.votes[0].by) for found in await desk.queue.list_approvals(states=("denied",))
        ]
        assert 3 == len(await desk.queue.list_approvals(requester="asker"))
        assert {"pending": 5, "approved": 0} == await desk.queue.count_open()


async def test_no_more_is_held_than_there_is_room_for(store_url: str) -> None:
    async with a_desk(store_url, limits=QueueLimits(actions=3, payload_bytes=100)) as desk:
        await desk.queue.hold(action(0, payload=b"x" * 60, requester="first"))
        with pytest.raises(LimitExceeded, match=r"^too much waits"):
            await desk.queue.hold(action(1, payload=b"x" * 41))
        await desk.queue.hold(action(2, requester="second"))
        last = await desk.queue.hold(action(3))
        with pytest.raises(LimitExceeded, match=r"^too much waits"):
            await desk.queue.hold(action(4, requester="fourth"))
        await desk.decide(last.id, by=FIRST, verdict="deny", reason="no")
        assert "pending" == (await desk.queue.hold(action(4))).state


async def test_a_requester_has_a_tenth_of_the_room_and_gets_it_back(store_url: str) -> None:
    async with a_desk(store_url, limits=QueueLimits(actions=120, payload_bytes=1000)) as desk:
        held = [await desk.queue.hold(action(n)) for n in range(12)]
        with pytest.raises(LimitExceeded, match="of this requester"):
            await desk.queue.hold(action(12))
        assert held[0].id == (await desk.queue.hold(action(0))).id
        assert "pending" == (await desk.queue.hold(action(12, requester="other"))).state
        await desk.decide(held[0].id, by=FIRST, verdict="deny", reason="no")
        assert "pending" == (await desk.queue.hold(action(13))).state


async def test_the_replies_of_one_requester_leave_room_for_those_of_others(store_url: str) -> None:
    async with a_desk(store_url, limits=QueueLimits(actions=100, payload_bytes=1000)) as desk:
        await desk.queue.hold(action(0, payload=b"x" * 500))
        with pytest.raises(LimitExceeded, match="of this requester"):
            await desk.queue.hold(action(1, payload=b"x"))
        assert "pending" == (await desk.queue.hold(action(1, payload=b"x" * 100, requester="other"))).state


@pytest.mark.parametrize(
    ("actions", "of_one"), [(100_000, 10_000), (150, 15), (100, 10), (30, 10), (10, 5), (3, 1), (1, 1)]
)
def test_what_one_requester_may_have_waiting_is_never_the_whole(actions: int, of_one: int) -> None:
    assert of_one == QueueLimits(actions=actions).of_one.actions


async def test_hostile_texts_are_kept_and_cut(store_url: str) -> None:
    async with a_desk(store_url) as desk:
        hostile = "'; DROP TABLE approvals; -- \x00 \ud800 \u202e" + "x" * 20_000
        held = await desk.queue.hold(
            action(summary=hostile, reason=(hostile,) * 100, route=hostile, requester=hostile)
        )
        found = await desk.queue.find(held.id)
        assert found is not None
        assert (8000, 64, 300) == (
            len(found.action.summary), len(found.action.reason), len(found.action.reason[0]),
        )  # fmt: skip
        assert found.action.summary.startswith("'; DROP TABLE approvals; -- \ufffd ? \u202e")


@pytest.mark.parametrize("given", [{"subject": "x"}, {"quorum": 0}, {"expires_s": 0}, {"roles": ()}])
async def test_what_cannot_be_decided_is_not_held(store_url: str, given: dict[str, object]) -> None:
    async with a_desk(store_url) as desk:
        with pytest.raises(MalformedInput):
            await desk.queue.hold(action(**given))


# -- signatures and the log --------------------------------------------------------------------------------------


async def test_a_decision_is_signed_over_the_digest_of_what_was_decided(store_url: str) -> None:
    async with a_desk(store_url, key=KEY) as desk:
        held = await desk.queue.hold(action())
        decided = await desk.decide(held.id, by=FIRST, verdict="approve", reason="I know the payee")
        vote = decided.votes[0]
        decision = open_decision(vote.envelope, [KEY.public])
        assert (held.id, subject(), "approve", "reviewer", "key-of-reviewer", "asker", "I know the payee") == (
            decision.approval, decision.subject, decision.verdict, decision.by, decision.key, decision.requester,
            decision.reason,
        )  # fmt: skip
        assert "transfer" not in decision.payload().decode()
        with pytest.raises(SealError):
            open_decision(vote.envelope, [new_key("other").public])
        with pytest.raises(SealError):
            open_decision(
                vote.envelope[:60] + ("A" if vote.envelope[60] != "A" else "B") + vote.envelope[61:],
                [KEY.public],
            )
        found = await desk.queue.find(held.id)
        assert found is not None
        assert decided == found


async def test_decisions_stand_in_the_log_and_a_broken_log_takes_none_back(
    store_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "decisions"
    folder.mkdir()
    (folder / "in the way").touch()
    log = DecisionLog(folder, KEY)
    async with a_desk(store_url, key=KEY, log=log) as desk:
        digests = []
        for n in range(2):
            held = await desk.queue.hold(action(n))
            decided = await desk.decide(held.id, by=FIRST, verdict="approve", reason="fine")
            assert "approved" == decided.state
            digests.append(digest(open_decision(decided.votes[0].envelope, [KEY.public]).payload()))
        (folder / "in the way").unlink()
        folder.rmdir()
        await desk.append_waiting()
        await desk.append_waiting()
    with LocalLog.open(folder) as opened_log:
        assert digests == [logged.entry.digest for logged in opened_log.entries()]
        assert 2 == opened_log.audit().size


# -- processes ---------------------------------------------------------------------------------------------------

HOLDING = """
import asyncio, sys
from gateway.approvals.held import a_desk, action
async def main():
    async with a_desk(sys.argv[1]) as desk:
        async def hold(first):
            for n in range(first, 10**9, 4):
                held = await desk.queue.hold(action(n))
                print(held.id, flush=True)
        await asyncio.gather(*map(hold, range(4)))
asyncio.run(main())
"""
RACING = """
import asyncio, sys
from gateway.approvals.held import a_desk, subject
async def main():
    async with a_desk(sys.argv[1]) as desk:
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(int(sys.argv[2])):
            if await desk.queue.consume(subject(n)) is not None:
                print(n, flush=True)
asyncio.run(main())
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def held_until_killed(url: str, count: int) -> set[str]:
    """The ids that a process said it holds, before it was killed."""
    command = [sys.executable, "-c", HOLDING, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        said = {process.stdout.readline().strip() for _ in range(count)}
        os.kill(process.pid, signal.SIGKILL)
        return said | set(process.stdout.read().split("\n")[:-1])


async def test_no_held_action_is_lost_when_its_worker_is_killed(store_url: str) -> None:
    said = await asyncio.to_thread(held_until_killed, store_url, 10_000 if FULL else 200)
    async with a_desk(store_url) as desk:
        rows = await desk.queue.database.fetch("SELECT id FROM approvals WHERE state = 'pending'")
        assert set() == said - {row[0] for row in rows}


def used_by_processes(url: str, processes: int, actions: int) -> list[int]:
    """What several processes, that began together, each could use."""
    command = [sys.executable, "-c", RACING, url, str(actions)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [int(line) for process in started for line in process.communicate(timeout=60)[0].split()]


async def test_of_eight_processes_exactly_one_uses_an_approval(store_url: str) -> None:
    actions = 20
    async with a_desk(store_url) as desk:
        for n in range(actions):
            held = await desk.queue.hold(action(n))
            await desk.decide(held.id, by=FIRST, verdict="approve", reason="go")
    used = await asyncio.to_thread(used_by_processes, store_url, 8, actions)
    assert Counter(range(actions)) == Counter(used)


async def test_without_its_database_nothing_is_held_and_nothing_used() -> None:
    server = shared_postgres()
    async with a_desk(server.new_database()) as desk:
        held = await desk.queue.hold(action())
        await desk.decide(held.id, by=FIRST, verdict="approve", reason="go")
        await assert_refused_while_down(desk)
        async with asyncio.timeout(30):
            assert held.id == await consumed_when_back(desk)


async def assert_refused_while_down(desk: Desk) -> None:
    """While the server is stopped every question is refused."""
    server = shared_postgres()
    server.stop()
    try:
        for asked in (
            desk.queue.hold(action("new")),
            desk.queue.consume(subject()),
            desk.queue.wait("ap_x", 1),
        ):
            with pytest.raises(DatabaseLost):
                await asked
    finally:
        server.start()


async def consumed_when_back(desk: Desk) -> str:
    """The id of the approval that was used as soon as the database was back."""
    while True:
        try:
            used = await desk.queue.consume(subject())
        except DatabaseLost:
            await asyncio.sleep(0.05)
        else:
            assert used is not None
            return used.id
