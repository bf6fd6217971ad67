"""Cosign the checkpoints of logs that only ever grow, so that no keeper can show two people two histories.

A witness knows some logs by their keys. It cosigns a checkpoint only where a known log signed it and a proof shows
that it extends the last one it cosigned; a log that forks or shrinks gets no cosignature, and what its keeper sent is
kept in `refused/` beside the state. Anybody may ask: the request is the proof. The state must outlive the key: a
witness whose state is lost is given up, and begins anew under a new key.

It speaks C2SP tlog-witness (`POST /add-checkpoint`), and shows at `/SHA256-OF-ORIGIN/checkpoint` what it has seen. It
listens on loopback unless told otherwise; TLS is the work of a reverse proxy.

examples:
  verilabel keys new --name witness.example.net
  verilabel witness key --key witness.example.net
  verilabel witness serve --key witness.example.net --log-key log.example.org.vkey --state witness-state --port 8401
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.evidence.keys import PrivateKey

SUMMARY = "cosign the checkpoints of logs that only ever grow"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `witness`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="answer logs over HTTP", allow_abbrev=False)
    serve.add_argument(
        "--log-key",
        action="append",
        required=True,
        metavar="VKEY|FILE",
        help="the key of a log that is witnessed (repeatable)",
    )
    serve.add_argument("--state", type=Path, required=True, metavar="DIR", help="what was cosigned last")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument(
        "--port", type=int, default=8401, metavar="P", help="port (default 8401; 0: any free one)"
    )
    key = actions.add_parser(
        "key", help="print the key line that cosignatures verify with", allow_abbrev=False
    )
    add_json_flag(key)
    for action in (serve, key):
        action.add_argument("--key", required=True, metavar="NAME|FILE", help="the witness's own key")
        action.add_argument(
            "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
        )


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action."""
    if args.action == "key":
        _show_key(args)
    else:
        _serve(args)
    return ExitStatus.OK


def _load_key(args: argparse.Namespace) -> PrivateKey:
    from verilabel.evidence.keys import (
        Passphrase,
        key_path,
        load_key,
        passphrase_from_environment,
        prompt_for_passphrase,
    )

    path = Path(args.key) if Path(args.key).is_file() else key_path(args.key)
    passphrase: Passphrase = prompt_for_passphrase if sys.stdin.isatty() else None
    if args.passphrase_env:
        passphrase = passphrase_from_environment(args.passphrase_env)
    return load_key(path, passphrase=passphrase)


def _show_key(args: argparse.Namespace) -> None:
    from verilabel.evidence.keys import KeyType

    public = _load_key(args).public.of_type(KeyType.COSIGNATURE)
    if args.json:
        print_json({"name": public.name, "keyid": public.keyid, "key": public.line})
    else:
        print(public.line)


def _serve(args: argparse.Namespace) -> None:
    from verilabel import serving
    from verilabel.transparency.remote import read_log_key
    from verilabel.transparency.witness_server import WitnessService
    from verilabel.transparency.witnessing import Witness

    serving.require_server()
    log_keys = [read_log_key(text) for text in args.log_key]
    witness = Witness(_load_key(args), log_keys, args.state)
    listener = serving.listen(args.host, args.port)

    def announce(url: str) -> None:
        print(f"witness {plain(witness.public_key.name)} at {url}", flush=True)
        print(f"  key   {witness.public_key.line}", flush=True)
        print(f"  logs  {', '.join(plain(key.name) for key in log_keys)}", flush=True)

    serving.serve(WitnessService(witness).application(), listener, announce=announce)
