"""Virtual keys of a gateway: who may ask, approve, audit and administer.

A key is shown once, when it is made; the store keeps its SHA-256. Roles: `user` asks models, `approver` also decides on
what is held, `auditor` sees approvals and decides nothing, `admin` also makes and ends keys. `--user` is who is behind
a key: two keys of one user are one person when votes are counted and limits are shared. Running gateways know of every
change within a second.

examples:
  verilabel gateway keys create --name billing-bot --models "gpt-4o,claude-*"
  verilabel gateway keys create --name "on call" --user on-call --role approver --expires-days 90
  verilabel gateway keys list --store postgresql://gateway@db.example.org/gateway
  verilabel gateway keys rotate 5f0c1d2e3a4b --grace-s 3600
  verilabel gateway keys revoke 5f0c1d2e3a4b
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.cli.store_options import add_store_options, chosen_store
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.access.store import KeyRecord, KeyStore, NewKey

SUMMARY = "make, list, rotate, switch off and revoke virtual keys"
ROLES = ("user", "approver", "auditor", "admin")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gateway keys`."""
    actions = parser.add_subparsers(dest="keys_action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and show it once", allow_abbrev=False)
    create.add_argument("--name", required=True, help="what people call the key")
    create.add_argument("--user", default="", help="who is behind it (default: the key's name)")
    create.add_argument("--role", choices=ROLES, default="user", help="what it may do (default user)")
    create.add_argument(
        "--models", default="", metavar="NAME,...", help="the models it may ask, PREFIX* too (default all)"
    )
    create.add_argument("--policy", metavar="ID", help="a policy of its own, by its id in the configuration")
    create.add_argument(
        "--no-limit",
        action="append",
        default=[],
        metavar="ID",
        help="a limit that it is free of (repeatable)",
    )
    create.add_argument("--expires-days", type=int, metavar="N", help="days until it ends by itself")
    rotate = actions.add_parser("rotate", help="put a new key in a key's place", allow_abbrev=False)
    rotate.add_argument("--grace-s", type=int, default=0, metavar="S", help="how long the old one lives on")
    listing = actions.add_parser("list", help="list the keys", allow_abbrev=False)
    others = [
        actions.add_parser(word, help=f"{words} a key", allow_abbrev=False)
        for word, words in (("revoke", "end"), ("disable", "switch off"), ("enable", "switch on again"))
    ]
    for action in (rotate, *others):
        action.add_argument("id", help="the key's id, as `list` shows it")
    for action in (create, rotate, listing, *others):
        add_store_options(action)
        add_json_flag(action)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action on keys."""
    store = chosen_store(args, must_exist=args.keys_action != "create")
    if args.keys_action == "create" and args.expires_days is not None and args.expires_days < 1:
        raise UsageError("a key lasts at least a day", where=f"--expires-days {args.expires_days}")
    asyncio.run(_run(args, store))
    return ExitStatus.OK


async def _run(args: argparse.Namespace, place: str) -> None:
    from verilabel.gateway.access.store import KeyStore
    from verilabel.registry.database import open_database

    database = await open_database(place)
    try:
        store = await KeyStore.open(database)
        if args.keys_action == "list":
            _print_list(args, await store.list_keys())
        elif args.keys_action in ("create", "rotate"):
            _print_new(args, await _make(args, store))
        else:
            _print_changed(args, await _change(args, store))
    finally:
        await database.close()


async def _make(args: argparse.Namespace, store: KeyStore) -> NewKey:
    from verilabel.gateway.access.store import KeyWish, made_by_hand

    by = made_by_hand(getpass.getuser())
    if args.keys_action == "rotate":
        return await store.rotate(args.id, by=by, grace_s=args.grace_s)
    wish = KeyWish(
        name=args.name,
        role=args.role,
        user=args.user,
        models=tuple(word.strip() for word in args.models.split(",") if word.strip()),
        policy=args.policy,
        limits=tuple(args.no_limit),
        lasts_s=None if args.expires_days is None else args.expires_days * 86_400,
    )
    return await store.create(wish, by=by)


async def _change(args: argparse.Namespace, store: KeyStore) -> KeyRecord:
    if args.keys_action == "revoke":
        return await store.revoke(args.id)
    return await store.switch(args.id, disabled=args.keys_action == "disable")


def _print_new(args: argparse.Namespace, made: NewKey) -> None:
    if args.json:
        print_json({"token": made.token, "key": _document(made.record)})
        return
    holder = made.record.holder
    print(made.token)
    print(
        f"  the key {holder.id} of {plain(holder.user)} ({holder.role}), {_until(holder.expires_us)};"
        " it is shown this once: put it where its user finds it"
    )


def _print_list(args: argparse.Namespace, records: list[KeyRecord]) -> None:
    if args.json:
        print_json([_document(record) for record in records])
    elif records:
        print_table(
            ["id", "name", "user", "role", "state", "models", "made by"],
            [
                [
                    record.holder.id,
                    plain(record.holder.name),
                    plain(record.holder.user),
                    record.holder.role,
                    _state_of(record),
                    ",".join(record.holder.models) or "all",
                    plain(record.created_by),
                ]
                for record in records
            ],
        )
    else:
        print('no keys yet; make one with: verilabel gateway keys create --name "..."')


def _print_changed(args: argparse.Namespace, record: KeyRecord) -> None:
    if args.json:
        print_json(_document(record))
    else:
        print(f"the key {record.holder.id} of {plain(record.holder.user)} is now: {_state_of(record)}")


def _document(record: KeyRecord) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(record)
    return document | {"state": _state_of(record)}


def _state_of(record: KeyRecord) -> str:
    if record.revoked_us is not None:
        return "revoked" if record.replaced_by is None else f"replaced by {record.replaced_by}"
    if record.disabled:
        return "switched off"
    expires_us = record.holder.expires_us
    if expires_us is not None and expires_us <= time.time_ns() // 1000:
        return "expired"
    return _until(expires_us)


def _until(expires_us: int | None) -> str:
    if expires_us is None:
        return "in force"
    return f"in force until {datetime.fromtimestamp(expires_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
