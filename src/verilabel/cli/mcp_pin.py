"""Pin MCP servers: write down, signed, what each shows, so that the gateway keeps from agents whatever changes.

CONFIG is the gateway's mcp.yaml. Each server is started in its box (one that has an address is asked over the network
with --allow-network) or read from a snapshot of `verilabel mcp scan --save`. What will be locked is shown for a person
to read; a lock that is there is compared, and replaced with --update alone. What hides text or is malformed is never
locked: agents will not see it.

examples:
  verilabel mcp pin mcp.yaml
  verilabel mcp pin mcp.yaml --server mail --key pins.example.org
  verilabel mcp pin mcp.yaml --server mail --update
  verilabel mcp pin mcp.yaml --server mail --snapshot mail.snapshot.json --unsigned

exit statuses: 1 a server differs from its lock (without --update), or shows what cannot be locked; 4 a lock that is
there is not to be trusted; 5 a server does not answer; 6 no box.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError, VerilabelError

if TYPE_CHECKING:
    from verilabel.evidence.keys import PrivateKey
    from verilabel.evidence.trust import TrustPolicy
    from verilabel.gateway.mcp.pins.differences import Difference
    from verilabel.gateway.mcp.pins.interface import Offer, Quarantined
    from verilabel.gateway.mcp.pins.lock import Lock
    from verilabel.gateway.mcp.policy.document import McpGateway

SUMMARY = "lock what MCP servers show, signed; what changes later is kept from agents"


_FILE_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class _Pinned(NamedTuple):
    """One server: its lock now, the file it goes to, and what a person should know."""

    name: str
    path: Path
    lock: Lock
    is_first: bool
    differences: list[Difference]
    left_out: tuple[Quarantined, ...]
    data: bytes

    def status(self, *, updating: bool) -> str:
        if self.is_first or updating:
            return "written"
        return "differs" if self.differences else "same"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mcp pin`."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the gateway's mcp.yaml")
    parser.add_argument(
        "--server", action="append", default=[], metavar="NAME", help="this server alone (repeatable)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the lock file (default: `pins` of the server, or pins/NAME.lock)",
    )
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="read this instead of asking the server"
    )
    parser.add_argument("--allow-network", action="store_true", help="also ask servers that have an address")
    parser.add_argument("--update", action="store_true", help="replace a lock that differs or cannot be read")
    parser.add_argument(
        "--key", metavar="NAME|FILE", default="default", help="signing key (default: the key named default)"
    )
    parser.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    parser.add_argument(
        "--unsigned", action="store_true", help="write a lock that counts only where no trust policy is set"
    )
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Ask, show, and write: nothing is written before every server was read."""
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.trust import load_trust

    gateway = _load_gateway(args.config)
    names = _chosen(args, gateway)
    trust = None if gateway.trust is None else load_trust(args.config.parent / gateway.trust)
    key = _signing_key(args, trust)
    offers = _offers(args, gateway, names)
    pinned = [_pin(args, gateway, offers[name], trust, key) for name in names]
    for each in pinned:
        if each.status(updating=args.update) == "written":
            each.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(each.path, each.data, overwrite=True)
    _print(args, gateway, pinned)
    if any(each.left_out or each.status(updating=args.update) == "differs" for each in pinned):
        return ExitStatus.CHECK_FAILED
    return ExitStatus.OK


def _load_gateway(path: Path) -> McpGateway:
    from verilabel.gateway.mcp.pins.scanning.targets import load_target

    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(
            "only the gateway's own file names locks",
            where=str(path),
            hint="an mcp.yaml; `mcp scan` reads others",
        )
    gateway = load_target(path).gateway
    assert gateway is not None, "a YAML target is the gateway's file"
    return gateway


def _chosen(args: argparse.Namespace, gateway: McpGateway) -> list[str]:
    for name in args.server:
        if name not in gateway.servers:
            known = ", ".join(gateway.servers)
            raise UsageError(
                f"there is no server {name!r}", where=str(args.config), hint=f"there are {known}"
            )
    names = list(dict.fromkeys(args.server)) or list(gateway.servers)
    for name in names:
        if gateway.servers[name].pins is None and args.out is None and not set(name) <= _FILE_NAME:
            raise UsageError(f"{plain(name)!r} cannot name a file", where=str(args.config), hint="--out FILE")
    if len(names) != 1 and (args.out is not None or args.snapshot is not None):
        raise UsageError("--out and --snapshot are for one server", where="--server", hint="--server NAME")
    return names


def _signing_key(args: argparse.Namespace, trust: TrustPolicy | None) -> PrivateKey | None:
    from verilabel.cli.seal_options import open_signing_key

    if args.unsigned:
        if trust is not None:
            raise UsageError("the gateway trusts signed locks alone", where="--unsigned", hint="--key NAME")
        return None
    key = open_signing_key(args, hint="make one: `verilabel keys new`; or --unsigned")
    if trust is not None and not trust.accepts(key.public, role="labels").accepted:
        raise UsageError(
            f"the gateway's trust policy does not accept the key {key.name}",
            where="--key",
            hint="name a key that it accepts in the role `labels`",
        )
    return key


def _offers(args: argparse.Namespace, gateway: McpGateway, names: list[str]) -> dict[str, Offer]:
    from verilabel.cli.mcp_asking import ask_servers
    from verilabel.gateway.mcp.pins.scanning.targets import find_offer, load_target

    if args.snapshot is not None:
        entry = gateway.servers[names[0]]
        command = entry.command or (entry.url or "",)
        return {names[0]: find_offer(load_target(args.snapshot), names[0], command)}
    return ask_servers({name: gateway.servers[name] for name in names}, allow_network=args.allow_network)


def _pin(
    args: argparse.Namespace,
    gateway: McpGateway,
    offer: Offer,
    trust: TrustPolicy | None,
    key: PrivateKey | None,
) -> _Pinned:
    from verilabel.gateway.mcp.pins.differences import compare_locks
    from verilabel.gateway.mcp.pins.lock import make_lock
    from verilabel.gateway.mcp.pins.locking import write_lock

    name = offer.server
    path = args.out or args.config.parent / (gateway.servers[name].pins or f"pins/{name}.lock")
    lock, left_out = make_lock(offer)
    before = _present_lock(path, trust, updating=args.update)
    differences = compare_locks(before, lock)
    return _Pinned(name, path, lock, before is None, differences, left_out, data=write_lock(lock, key))


def _present_lock(path: Path, trust: TrustPolicy | None, *, updating: bool) -> Lock | None:
    """The lock that is there. One that cannot be used raises, unless it is to be replaced."""
    from verilabel.gateway.mcp.pins.locking import load_lock

    if not path.exists():
        return None
    try:
        return load_lock(path, trust=trust).lock
    except VerilabelError as error:
        if updating:
            return None
        error.hint = "look into it; --update replaces it"
        raise


def _print(args: argparse.Namespace, gateway: McpGateway, pinned: list[_Pinned]) -> None:
    import msgspec

    if args.json:
        print_json(
            [
                {
                    "server": each.name,
                    "lock": str(each.path),
                    "status": each.status(updating=args.update),
                    "tool_set": each.lock.tool_set,
                    "tools": len(each.lock.tools),
                    "resources": len(each.lock.resources),
                    "prompts": len(each.lock.prompts),
                    "left_out": msgspec.to_builtins(each.left_out),
                    "differences": msgspec.to_builtins(each.differences),
                }
                for each in pinned
            ]
        )
        return
    for each in pinned:
        _print_one(each, updating=args.update)
        if gateway.servers[each.name].pins is None and args.out is None:
            print(f"  next: add `pins: pins/{plain(each.name)}.lock` to the server in {args.config}")


def _print_one(pinned: _Pinned, *, updating: bool) -> None:
    lock = pinned.lock
    counts = f"{len(lock.tools)} tools, {len(lock.resources)} resources, {len(lock.prompts)} prompts"
    print(f"{plain(pinned.name)}: {counts}")
    for difference in pinned.differences:
        _print_difference(difference)
    for refused in pinned.left_out:
        print(f"  not locked: the {refused.kind} {refused.name}: {plain(refused.detail)}")
    _print_ending(pinned, pinned.status(updating=updating))


def _print_difference(difference: Difference) -> None:
    parts = f" ({', '.join(difference.parts)})" if difference.parts else ""
    print(f"  {difference.change} {difference.kind} {difference.name}{parts}")
    for line in difference.diff:
        print(f"    {plain(line)}")


def _print_ending(pinned: _Pinned, status: str) -> None:
    if status == "written":
        print(f"  wrote {pinned.path}")
    elif status == "same":
        print(f"  as it was pinned in {pinned.path}")
    else:
        print(f"  differs from {pinned.path}; nothing was written (--update replaces the lock)")
