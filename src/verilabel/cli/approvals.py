"""See and decide what a gateway holds for people.

With --gateway you are whom your key names: the key is of the role approver or admin (auditors only look), its user is
not who asked, and one user has one vote. A decision needs a reason and is kept with it; what is held is approved or
denied as it is, never edited.

On the gateway's own machine the store can be opened directly. Whoever can write a SQLite store rules it anyway, so
that approve and deny then take `--as USER` at its word, and write into the decision that it came from the shell, and
whose. Decisions are signed where --key is given.

examples:
  verilabel approvals list --gateway https://gateway.example.org --token-env VERILABEL_TOKEN
  verilabel approvals show ap_5f0c1d2e3a4b5c6d7e8f --store gateway.db
  verilabel approvals approve ap_5f0c1d2e3a4b5c6d7e8f --reason "I asked the customer" --gateway http://127.0.0.1:8080
  verilabel approvals deny ap_5f0c1d2e3a4b5c6d7e8f --reason "not during the sale" --store gateway.db --as on-call
  verilabel approvals show ap_5f0c1d2e3a4b5c6d7e8f --signer gateway.pub --store gateway.db
  verilabel approvals list --config mcp.yaml
  verilabel approvals watch --gateway http://127.0.0.1:8080 --json

exit statuses: 1 where a vote comes too late or is the user's second, 4 where a vote's
signature does not hold, 5 where the gateway cannot be reached, 7 where the
key or user may not decide.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.cli.store_options import add_store_options, chosen_store
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.cli.local_approvals import LocalApprovals
    from verilabel.gateway.administration.client import AdministrationClient

SUMMARY = "list and decide what a gateway holds for people"
TOKEN_VARIABLE = "VERILABEL_TOKEN"  # noqa: S105
STATES = ("pending", "approved", "denied", "expired", "consumed")


class Approvals(Protocol):
    """What the command needs of a gateway or of a store."""

    def list_approvals(self, *, states: tuple[str, ...] = (), limit: int = 100) -> list[dict[str, Any]]:
        """Approvals in given states, the newest first."""

    def show_approval(self, approval: str) -> dict[str, Any]:
        """One approval."""

    def decide(self, approval: str, *, verdict: str, reason: str) -> dict[str, Any]:
        """Vote on it."""

    def follow(self) -> Iterator[dict[str, Any]]:
        """Changes as they happen."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `approvals`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list what waits, or what was decided", allow_abbrev=False)
    listing.add_argument(
        "--state",
        action="append",
        choices=(*STATES, "all"),
        default=[],
        help="which ones (repeatable; default pending)",
    )
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="how many at most (default 50)")
    show = actions.add_parser("show", help="show one, with its votes", allow_abbrev=False)
    show.add_argument(
        "--signer", type=Path, metavar="FILE", help="check that every vote was signed by this public key"
    )
    watch = actions.add_parser("watch", help="print changes as they happen", allow_abbrev=False)
    deciding = [
        actions.add_parser(word, help=f"{word} one", allow_abbrev=False) for word in ("approve", "deny")
    ]
    for action in (show, *deciding):
        action.add_argument("id", help="the approval's id")
    for action in deciding:
        action.add_argument("--reason", required=True, help="why; it is kept with the decision")
        action.add_argument(
            "--as", dest="user", metavar="USER", help="who decides, for a SQLite store on this machine"
        )
        action.add_argument(
            "--role", choices=("approver", "admin"), default="approver", help="in which role, with --as"
        )
        action.add_argument("--key", type=Path, metavar="FILE", help="private key that signs, with --as")
    for action in (listing, show, watch, *deciding):
        _add_place(action)
        add_json_flag(action)


def _add_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument("--gateway", metavar="URL", help="a running gateway")
    group.add_argument(
        "--token-env",
        default=TOKEN_VARIABLE,
        metavar="VARIABLE",
        help=f"environment variable with your virtual key (default {TOKEN_VARIABLE})",
    )
    add_store_options(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action on approvals."""
    approvals = _open(args)
    try:
        {
            "list": _list,
            "show": _show,
            "approve": _decide,
            "deny": _decide,
            "watch": _watch,
        }[args.action](args, approvals)
    finally:
        if args.gateway is None:
            approvals.close()  # type: ignore[union-attr]
    return ExitStatus.OK


def _open(args: argparse.Namespace) -> AdministrationClient | LocalApprovals:
    if args.gateway is not None:
        return _open_gateway(args)
    from verilabel.cli.local_approvals import LocalApprovals
    from verilabel.registry.database import is_file_store, shown_store

    store = chosen_store(args, must_exist=True)
    if args.action not in ("approve", "deny"):
        return LocalApprovals(store)
    if not is_file_store(store):
        raise UsageError(
            "decisions are made through the gateway, with a key of yours",
            where=shown_store(store),
            hint="--gateway URL --token-env VARIABLE",
        )
    if not args.user:
        raise UsageError("who decides?", hint="--as USER, or --gateway URL with a key of yours")
    return LocalApprovals(store, user=args.user, role=args.role, key=args.key)


def _open_gateway(args: argparse.Namespace) -> AdministrationClient:
    from verilabel.gateway.administration.client import AdministrationClient
    from verilabel.serving import read_token

    given = [
        f"--{name.replace('user', 'as')}" for name in ("store", "user", "key") if getattr(args, name, None)
    ]
    if given:
        raise UsageError(f"{given[0]} is for a store on this machine", hint="leave it out with --gateway")
    token = read_token(args.token_env, os.environ)
    return AdministrationClient(args.gateway, token or "")


def _list(args: argparse.Namespace, approvals: Approvals) -> None:
    if not 1 <= args.limit <= 500:
        raise UsageError("from 1 to 500", where="--limit")
    states = () if "all" in args.state else tuple(args.state) or ("pending",)
    found = approvals.list_approvals(states=states, limit=args.limit)
    if args.json:
        print_json(found)
    elif found:
        print_table(
            ["id", "state", "kind", "asked by", "held by", "votes", "until"],
            [
                [
                    one["id"],
                    one["state"],
                    one["kind"].replace("_", " "),
                    plain(one["requester"]),
                    plain(", ".join(one["reason"])),
                    f"{_approving(one)} of {one['quorum']}",
                    _time(one["expires_us"]) if one["state"] in ("pending", "approved") else "",
                ]
                for one in found
            ],
        )
    else:
        print("nothing waits for a decision" if states == ("pending",) else "none")


def _show(args: argparse.Namespace, approvals: Approvals) -> None:
    found = approvals.show_approval(args.id)
    if args.signer is not None:
        _check_votes(found, args.signer)
    if args.json:
        print_json(found)
        return
    print(f"{found['id']}: {_state_line(found)}")
    if "summary" not in found:
        return
    for name, field in (
        ("asked by", "requester"),
        ("key", "key"),
        ("route", "route"),
        ("subject", "subject"),
    ):
        print(f"  {name:<9} {plain(found[field])}")
    print(f"  policy    {plain(found['policy'])}")
    print(f"  held by   {plain(', '.join(found['reason']))}")
    print(f"  held      {_time(found['created_us'])}")
    print(f"  quorum    {found['quorum']} of the roles {', '.join(map(plain, found['roles']))}")
    for line in found["summary"].split("\n"):
        print(f"  | {plain(line)}")
    for vote in found["votes"]:
        signed = ", signed" if vote["signed"] else ""
        print(
            f"  {vote['verdict']:<9} {plain(vote['by'])}, {_time(vote['at_us'])}{signed}: {plain(vote['reason'])}"
        )


def _check_votes(found: dict[str, Any], signer: Path) -> None:
    """Check each vote against its signed decision. Raises SealError where one does not hold."""
    from verilabel.errors import SealError
    from verilabel.evidence.keys import load_public
    from verilabel.gateway.approvals.signing import open_decision

    key = load_public(signer)
    for index, vote in enumerate(found.get("votes", [])):
        where = f"$.votes[{index}]"
        if not vote["envelope"]:
            raise SealError("the vote is not signed", where=where)
        signed = open_decision(vote["envelope"], [key], where=where)
        shown = (found["id"], found["subject"], vote["verdict"], vote["by"], vote["reason"])
        if shown != (signed.approval, signed.subject, signed.verdict, signed.by, signed.reason):
            raise SealError("the vote is not the one that was signed", where=where)


def _decide(args: argparse.Namespace, approvals: Approvals) -> None:
    decided = approvals.decide(args.id, verdict=args.action, reason=args.reason)
    if args.json:
        print_json(decided)
    else:
        print(f"{decided['id']}: {_state_line(decided)}")


def _watch(args: argparse.Namespace, approvals: Approvals) -> None:
    import json
    import sys

    for change in approvals.follow():
        if args.json:
            print(json.dumps(change))
        else:
            why = plain(", ".join(change["reason"]))
            print(f"{change['id']}  {_state_line(change)}  {plain(change['requester'])}: {why}")
        sys.stdout.flush()


def _state_line(found: dict[str, Any]) -> str:
    if found["state"] != "pending":
        return str(found["state"])
    votes = f", {_approving(found)} of {found['quorum']} approvals" if "quorum" in found else ""
    left_s = max(0, found["expires_us"] - time.time_ns() // 1000) // 1_000_000
    return f"pending{votes}, denied in {left_s // 60} min {left_s % 60} s"


def _approving(found: dict[str, Any]) -> int:
    return sum(vote["verdict"] == "approve" for vote in found["votes"])


def _time(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
