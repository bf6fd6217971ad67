"""Virtual keys: shown once, kept as digests, found in memory, and gone everywhere within a second."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import opened, shared_postgres
from verilabel.errors import MalformedInput, UsageError
from verilabel.gateway.access.ring import POLL_S, CachedKeyRing
from verilabel.gateway.access.store import KeyStore, KeyWish, check_wish
from verilabel.gateway.access.tokens import new_id, new_token, token_hash
from verilabel.registry.database import Database

HOUR_S = 3600


@asynccontextmanager
async def a_ring(database: Database, **settings: float) -> AsyncIterator[CachedKeyRing]:
    ring = CachedKeyRing(await KeyStore.open(database), **settings)
    await ring.open()
    try:
        yield ring
    finally:
        await ring.close()


async def until_known(ring: CachedKeyRing, token: str, *, known: bool) -> int:
    """How often a ring had to be asked until it knows a key, or knows it no longer."""
    async with asyncio.timeout(20):
        looks = 0
        while (ring.find(token) is not None) is not known:
            looks += 1
            await asyncio.sleep(POLL_S / 4)
        return looks


async def test_a_key_is_found_with_everything_it_was_made_with(store_url: str) -> None:
    async with opened(store_url) as database:
        wish = KeyWish(
            name="billing bot", role="user", user="Team/Billing", models=("gpt-4o", "claude-*"),
            policy="strict", limits=("per-minute",), lasts_s=HOUR_S,
        )  # fmt: skip
        made = await (await KeyStore.open(database)).create(wish, by="local:root")
        assert re.fullmatch(r"vk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made.token)
        async with a_ring(database) as ring:
            holder = ring.find(made.token)
            assert made.record.holder == holder
            assert holder is not None
            assert ("team/billing", ("gpt-4o", "claude-*"), "strict") == (
                holder.user,
                holder.models,
                holder.policy,
            )
            assert made.record.created_us + HOUR_S * 1_000_000 == holder.expires_us


async def test_the_token_is_nowhere_in_the_database_nor_in_what_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    async with opened(str(path)) as database:
        made = await (await KeyStore.open(database)).create(KeyWish(name="alice"), by="local")
    secret = made.token.removeprefix(f"vk_{made.record.holder.id}_")
    assert 43 == len(secret)
    assert secret not in repr(made)
    data = path.read_bytes()
    assert secret.encode() not in data
    assert token_hash(made.token) in data


async def test_a_revoked_key_is_gone_in_every_worker_within_a_second(store_url: str) -> None:
    async with opened(store_url) as first, opened(store_url) as second:
        store = await KeyStore.open(first)
        made = await store.create(KeyWish(name="alice"), by="local")
        async with a_ring(first) as here, a_ring(second) as elsewhere:
            await store.revoke(made.record.holder.id)
            await until_known(here, made.token, known=False)
            await until_known(elsewhere, made.token, known=False)
        assert [True] == [record.revoked_us is not None for record in await store.list_keys()]


def test_rings_look_often_enough_for_a_second() -> None:
    assert POLL_S <= 0.5


async def test_a_key_that_was_made_later_is_found(store_url: str) -> None:
    async with opened(store_url) as database, a_ring(database) as ring:
        made = await (await KeyStore.open(database)).create(KeyWish(name="late"), by="local")
        await until_known(ring, made.token, known=True)


async def test_a_switched_off_key_can_be_switched_on_and_a_revoked_one_cannot(store_url: str) -> None:
    async with opened(store_url) as database, a_ring(database) as ring:
        store = await KeyStore.open(database)
        made = await store.create(KeyWish(name="alice"), by="local")
        key_id = made.record.holder.id
        for disabled in (True, False):
            await store.switch(key_id, disabled=disabled)
            await ring.renew()
            assert disabled is (ring.find(made.token) is None)
        await store.revoke(key_id)
        with pytest.raises(UsageError, match="revoked"):
            await store.switch(key_id, disabled=False)
        await ring.renew()
        assert None is ring.find(made.token)


async def test_a_rotated_key_keeps_its_rights_and_its_expiry(store_url: str) -> None:
    async with opened(store_url) as database, a_ring(database) as ring:
        store = await KeyStore.open(database)
        old = await store.create(
            KeyWish(name="bot", role="auditor", user="carol", models=("m",), lasts_s=60), by="local"
        )
        new = await store.rotate(old.record.holder.id, by="admin")
        await ring.renew()
        assert None is ring.find(old.token)
        found = ring.find(new.token)
        assert found is not None
        assert ("auditor", "carol", ("m",), old.record.holder.expires_us) == (
            found.role, found.user, found.models, found.expires_us,
        )  # fmt: skip
        with pytest.raises(UsageError, match="revoked"):
            await store.rotate(old.record.holder.id, by="admin")


async def test_a_rotated_key_may_live_on_for_a_while_but_not_beyond_its_own_end(store_url: str) -> None:
    async with opened(store_url) as database, a_ring(database) as ring:
        store = await KeyStore.open(database)
        long, short = [await store.create(KeyWish(name="x", lasts_s=s), by="l") for s in (HOUR_S, 10)]
        forever = await store.create(KeyWish(name="x"), by="l")
        for old in (long, short, forever):
            await store.rotate(old.record.holder.id, by="l", grace_s=60)
        await ring.renew()
        ends = [found.expires_us for old in (long, short, forever) if (found := ring.find(old.token))]
        assert short.record.holder.expires_us == ends[1]
        created = long.record.created_us
        assert [True, True] == [created < end < created + 120 * 10**6 for end in (ends[0], ends[2]) if end]


async def test_an_expired_key_is_unknown_also_after_the_clock_was_set_back(store_url: str) -> None:
    async with opened(store_url) as database, a_ring(database) as ring:
        store = await KeyStore.open(database)
        made = await store.create(KeyWish(name="brief", lasts_s=1), by="l")
        await ring.renew()
        await until_known(ring, made.token, known=False)
        assert 0 == len(ring)


async def test_a_ring_without_its_database_lasts_for_a_while_and_then_knows_nobody() -> None:
    server = shared_postgres()
    async with opened(server.new_database()) as database:
        store = await KeyStore.open(database)
        made = await store.create(KeyWish(name="alice"), by="l")
        async with a_ring(database, stale_after_s=2.0) as ring, a_ring(database) as patient:
            server.stop()
            try:
                await until_known(ring, made.token, known=False)
                assert (True, False) == (ring.is_stale, patient.is_stale)
                assert patient.find(made.token) is not None
            finally:
                server.start()
            await until_known(ring, made.token, known=True)


async def test_an_older_copy_of_the_database_is_read_anew(tmp_path: Path) -> None:
    async with opened(str(tmp_path / "x.db")) as database, a_ring(database) as ring:
        store = await KeyStore.open(database)
        kept = await store.create(KeyWish(name="kept"), by="l")
        lost = await store.create(KeyWish(name="lost"), by="l")
        await ring.renew()
        await database.execute("DELETE FROM gateway_keys WHERE id = ?", (lost.record.holder.id,))
        await ring.renew()
        assert (True, True) == (ring.find(kept.token) is not None, ring.find(lost.token) is None)


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        (KeyWish(name=""), "$.name"),
        (KeyWish(name="a\nb"), "$.name"),
        (KeyWish(name="x" * 201), "$.name"),
        (KeyWish(name="ok", user="al\u0456ce"), "$.user"),
        (KeyWish(name="ok", user="a b"), "$.user"),
        (KeyWish(name="ok", role="root"), "$.role"),  # type: ignore[arg-type]
        (KeyWish(name="ok", models=("gpt", "a b")), "$.models[1]"),
        (KeyWish(name="ok", policy="../x y"), "$.policy[0]"),
        (KeyWish(name="ok", lasts_s=0), "$.lasts_s"),
    ],
)
def test_a_wish_that_cannot_be_met_says_where(wish: KeyWish, where: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        check_wish(wish)
    assert where == caught.value.where


async def test_an_unknown_key_cannot_be_changed(store_url: str) -> None:
    async with opened(store_url) as database:
        store = await KeyStore.open(database)
        for change in (
            store.revoke("none"),
            store.switch("none", disabled=True),
            store.rotate("none", by="l"),
        ):
            with pytest.raises(UsageError, match="no key"):
                await change


@given(
    token=st.one_of(
        st.text(max_size=300), st.just("vk_" + "0" * 12 + "_"), st.text("\ud800\x00é", max_size=5)
    )
)
def test_any_text_is_looked_up_without_an_error(token: str) -> None:
    ring = CachedKeyRing(None)  # type: ignore[arg-type]
    assert None is ring.find(token)


def test_no_two_tokens_are_alike() -> None:
    assert 1000 == len({new_token(new_id()) for _ in range(1000)})
