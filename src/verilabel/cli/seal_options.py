"""Options about bundles: who signs, which log and trust policy, where a bundle goes; and opening what they name."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.evidence.journal import Store
    from verilabel.evidence.keys import PrivateKey
    from verilabel.evidence.log import Log
    from verilabel.evidence.trust import TrustPolicy

AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})", re.ASCII)
ADDRESSES = (
    "openai/NAME, anthropic/NAME, google/NAME, ollama/NAME, vllm/NAME, hf/PATH, command:PROGRAM, replay:FILE, "
    "simulated:rate=0.01"
)


# -- the system and its model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seals:
    """The key that signs and the log that keeps; both None for an unsigned bundle."""

    key: PrivateKey | None
    log: Log | None


def add_log_options(group: ArgumentParser | _ArgumentGroup) -> None:
    """Options that say in which log a plan and its label are logged."""
    group.add_argument(
        "--log",
        metavar="DIR|URL",
        help="the transparency log: a folder, or the address of a server (default: $VERILABEL_HOME/log)",
    )
    group.add_argument(
        "--log-key",
        metavar="VKEY|FILE",
        help="the key of the log at an address (default: the one it had when it was first met)",
    )
    group.add_argument(
        "--log-token-env",
        metavar="VARIABLE",
        help="environment variable with the token that the log asks for (default: VERILABEL_LOG_TOKEN)",
    )


def add_seal_options(parser: ArgumentParser) -> None:
    """Options that say who signs and where it is logged."""
    group = parser.add_argument_group("sealing")
    group.add_argument(
        "--out", type=Path, metavar="BUNDLE", help="the bundle: a folder, or one file ending in .zip"
    )
    group.add_argument(
        "--key", metavar="NAME|FILE", default="default", help="signing key (default: the key named default)"
    )
    group.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    add_log_options(group)
    group.add_argument(
        "--unsigned", action="store_true", help="make an unsigned bundle, which verifies to V0"
    )
    group.add_argument("--force", action="store_true", help="replace what is at --out")


def open_seals(args: Namespace) -> Seals:
    """Open the signing key and the log; the log and its key are made where there are none yet.

    Raises UsageError where there is no signing key.
    """
    if args.unsigned:
        return Seals(None, None)
    key = open_signing_key(args, hint="make one: `verilabel keys new`; or --unsigned for V0")
    return Seals(key, open_log(args.log, key.name, log_key=args.log_key, token_variable=args.log_token_env))


def open_signing_key(args: Namespace, *, hint: str = "make one: `verilabel keys new`") -> PrivateKey:
    """The key that --key names. Raises UsageError where there is none."""
    from verilabel.evidence.keys import (
        Passphrase,
        key_path,
        load_key,
        passphrase_from_environment,
        prompt_for_passphrase,
    )

    path = Path(args.key) if Path(args.key).is_file() else key_path(args.key)
    if not path.exists():
        raise UsageError("there is no signing key", where=str(path), hint=hint)
    passphrase: Passphrase = prompt_for_passphrase if sys.stdin.isatty() else None
    if args.passphrase_env:
        passphrase = passphrase_from_environment(args.passphrase_env)
    return load_key(path, passphrase=passphrase)


def open_log(
    place: Path | str | None, owner: str, *, log_key: str | None = None, token_variable: str | None = None
) -> Log:
    """Open the log in a folder (default: the user's own), made where there is none yet, or the one at an address."""
    from verilabel.transparency.opening import open_log_at

    return open_log_at(
        place, owner, key=log_key, token_variable=token_variable, tell=_tell, environ=os.environ
    )


def _tell(message: str) -> None:
    from verilabel.cli.console import plain

    print(plain(message), file=sys.stderr)


def open_begun_store(folder: Path) -> Store:
    """A run's store that is there already. Raises UsageError where there is none, and leaves nothing behind."""
    from verilabel.evidence.journal import Store
    from verilabel.evidence.layout import PLAN

    if not (folder / PLAN).is_file():
        raise UsageError(
            "there is no run here",
            where=str(folder),
            hint="`verilabel run --store` or `verilabel label` begins one",
        )
    return Store(folder)


def check_out(args: Namespace) -> None:
    """Check that a bundle may be written to --out. Raises UsageError where it may not."""
    if args.out is None:
        raise UsageError("where shall the bundle go?", hint="--out BUNDLE")
    if args.out.exists() and not args.force:
        raise UsageError(
            "there is something here already", where=str(args.out), hint="choose another --out, or --force"
        )


def add_trust_option(parser: ArgumentParser) -> None:
    """The option that says whose signatures count."""
    parser.add_argument(
        "--trust", type=Path, metavar="FILE", help="trust policy (YAML): whose keys count, for what"
    )


def open_trust(args: Namespace) -> TrustPolicy | None:
    """The trust policy given, or None."""
    if args.trust is None:
        return None
    from verilabel.evidence.trust import load_trust

    return load_trust(args.trust)


def add_reference_option(parser: ArgumentParser | _ArgumentGroup) -> None:
    """The option that names reference systems' bundles."""
    parser.add_argument(
        "--reference",
        action="append",
        type=Path,
        default=[],
        metavar="BUNDLE",
        help="a bundle of the reference system, where thresholds are relative to it (repeatable)",
    )
