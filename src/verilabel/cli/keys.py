"""Make and show signing keys (Ed25519).

A key is two files in `$VERILABEL_HOME/keys` (`~/.verilabel/keys` where that is not set): NAME.key, which
only you can read, and NAME.pub, the one line that others need to check what you signed.

examples:
  verilabel keys new --name labels.example.org --passphrase
  verilabel keys list
  verilabel keys export labels.example.org
  verilabel keys export labels.example.org --trust > trust.yaml
  verilabel keys export doctor --trust --role attestations > doctor-trust.yaml
  verilabel keys vouch gpt.bundle --payload statement.json
  verilabel keys vouch gpt.bundle --sigstore statement.json.sigstore.json --identity lab@example.org --issuer https://accounts.example.org
  verilabel keys timestamp gpt.bundle --tsa https://tsa.example.org
  verilabel keys weights model-folder --signature model.sig --public-key signer.pem

vouch: a Sigstore identity signs the label's statement beside the key. Write the statement's bytes with --payload, sign
the file with `cosign sign-blob` or `sigstore sign`, and put the Sigstore bundle in with --sigstore, which checks it.
timestamp: asks an RFC 3161 authority (the one command here that opens a connection). weights: OpenSSF model signing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.trust import Role

SUMMARY = "make and show signing keys"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `keys`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key", allow_abbrev=False)
    new.add_argument("--name", default="default", help="the key's name, which goes with what it signs")
    secret = new.add_mutually_exclusive_group()
    secret.add_argument("--passphrase", action="store_true", help="ask for a passphrase to protect the file")
    secret.add_argument("--passphrase-env", metavar="VARIABLE", help="take it from this environment variable")
    new.add_argument("--force", action="store_true", help="replace the key of this name; the old one is lost")
    show = actions.add_parser("show", help="show one key", allow_abbrev=False)
    show.add_argument("name", nargs="?", default="default")
    listing = actions.add_parser("list", help="list your keys", allow_abbrev=False)
    export = actions.add_parser("export", help="print the public line of a key", allow_abbrev=False)
    export.add_argument("name", nargs="?", default="default")
    export.add_argument(
        "--trust", action="store_true", help="print a trust policy that accepts this key, and the local log's"
    )
    export.add_argument(
        "--role",
        action="append",
        metavar="ROLE",
        help="with --trust: what the key counts for: labels, log, witness, replications, disputes or attestations "
        "(repeatable; default labels and log)",
    )
    for action in (*_configure_others(actions), new, show, listing, export):
        add_json_flag(action)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action on keys."""
    if args.action in ("vouch", "timestamp", "weights"):
        from verilabel.cli import vouching

        vouching.run(args)
        return ExitStatus.OK
    {"new": _make, "show": _show, "list": _list, "export": _export}[args.action](args)
    return ExitStatus.OK


def _configure_others(actions: Any) -> tuple[argparse.ArgumentParser, ...]:
    vouch = actions.add_parser(
        "vouch", help="put a Sigstore identity's signature beside the key's", allow_abbrev=False
    )
    vouch.add_argument("bundle", type=Path)
    vouch.add_argument("--payload", type=Path, metavar="FILE", help="write the bytes to be signed here")
    vouch.add_argument("--sigstore", type=Path, metavar="FILE", help="the Sigstore bundle over these bytes")
    vouch.add_argument("--identity", help="who signed: an e-mail address or a workflow's URI")
    vouch.add_argument("--issuer", metavar="URL", help="the OpenID provider that knows the identity")
    vouch.add_argument(
        "--trusted-root", type=Path, metavar="FILE", help="trusted_root.json of an instance of your own"
    )
    stamp = actions.add_parser("timestamp", help="ask a time-stamp authority", allow_abbrev=False)
    stamp.add_argument("bundle", type=Path)
    stamp.add_argument("--tsa", required=True, metavar="URL", help="the RFC 3161 authority")
    weights = actions.add_parser(
        "weights", help="the model-signing root of a folder, and its signature", allow_abbrev=False
    )
    weights.add_argument("folder", type=Path)
    weights.add_argument("--signature", type=Path, metavar="FILE", help="a model.sig to check")
    weights.add_argument("--public-key", type=Path, metavar="PEM", help="the key that made it")
    weights.add_argument("--bundle", type=Path, help="is this bundle's label for these weights?")
    return vouch, stamp, weights


def _make(args: argparse.Namespace) -> None:
    from verilabel.errors import UsageError
    from verilabel.evidence.keys import (
        key_path,
        new_key,
        passphrase_from_environment,
        prompt_for_passphrase,
        save_key,
    )

    path = key_path(args.name)
    if path.exists() and not args.force:
        raise UsageError("there is a key of this name", where=str(path), hint="another --name, or --force")
    passphrase = passphrase_from_environment(args.passphrase_env) if args.passphrase_env else None
    if args.passphrase:
        passphrase = prompt_for_passphrase(twice=True)
    key = new_key(args.name)
    save_key(key, path, passphrase=passphrase, overwrite=args.force)
    if args.json:
        print_json(_describe(path))
        return
    print(f"made the key {key.name}, {key.keyid}")
    print(
        f"  private  {path}  ({'with' if passphrase else 'no'} passphrase; keep it to yourself, and a copy)"
    )
    print(f"  public   {path.with_suffix('.pub')}")
    print(f"  line     {key.public.line}")


def _show(args: argparse.Namespace) -> None:
    from verilabel.evidence.keys import key_path

    described = _describe(key_path(args.name))
    if args.json:
        print_json(described)
        return
    for field in ("name", "keyid", "line", "private_key"):
        print(f"{field.replace('_', ' '):<12} {described[field]}")


def _list(args: argparse.Namespace) -> None:
    from verilabel.evidence.keys import home_folder

    folder = home_folder() / "keys"
    keys = [_describe(path.with_suffix(".key")) for path in sorted(folder.glob("*.pub"))]
    if args.json:
        print_json(keys)
    elif keys:
        print_table(
            ["name", "keyid", "private key"], [[k["name"], k["keyid"], k["private_key"]] for k in keys]
        )
    else:
        print(f"no keys in {folder}; make one with: verilabel keys new")


def _export(args: argparse.Namespace) -> None:
    from verilabel.evidence.keys import key_path, load_public

    public = load_public(key_path(args.name).with_suffix(".pub"))
    roles = _read_roles(args)
    if args.json:
        print_json({"name": public.name, "keyid": public.keyid, "line": public.line})
    elif args.trust:
        from verilabel.evidence.trust import write_trust

        log_line = key_path("log").with_suffix(".pub")
        own_log = [load_public(log_line)] if log_line.exists() and args.name != "log" else []
        print(write_trust(public, *own_log, roles=roles).decode("utf-8"), end="")
    else:
        print(public.line)


def _read_roles(args: argparse.Namespace) -> list[Role]:
    from verilabel.evidence.trust import ROLES

    if args.role and not args.trust:
        raise UsageError("a role stands in a trust policy", where="--role", hint="add --trust")
    for role in args.role or ():
        if role not in ROLES:
            raise UsageError(f"there is no role {role!r}", where="--role", hint=f"roles: {', '.join(ROLES)}")
    return args.role or ["labels", "log"]


def _describe(private: Path) -> dict[str, str]:
    from verilabel.evidence.keys import load_public

    public = load_public(private.with_suffix(".pub"))
    state = "not on this machine"
    if private.exists():
        state = "with passphrase" if _has_passphrase(private) else "without passphrase"
    return {
        "name": public.name,
        "keyid": public.keyid,
        "line": public.line,
        "private_key": state,
        "path": str(private),
    }


def _has_passphrase(private: Path) -> bool:
    with private.open("rb") as file:
        return b"BEGIN ENCRYPTED PRIVATE KEY" in file.read(64)
