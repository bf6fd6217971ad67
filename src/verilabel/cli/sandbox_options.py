"""Options that say which box is meant, for the actions of `verilabel sandbox`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.sandbox.interface import BoxSpec


def add_box_options(parser: argparse.ArgumentParser, *, at_least: str | None = None) -> None:
    """Options that say which box is meant; where no default is given, a provider that was named may do what it can."""
    from verilabel.sandbox.interface import LEVELS

    unless_said = at_least or "C2, or none where a provider is named"
    parser.add_argument(
        "--provider",
        default="auto",
        metavar="NAME",
        help="which kind of box (default: the best that works here)",
    )
    parser.add_argument(
        "--at-least",
        choices=LEVELS,
        default=at_least,
        metavar="LEVEL",
        help=f"containment without which nothing is run, C0 to C5 (default {unless_said})",
    )
    add_user_option(parser)


def add_user_option(parser: argparse.ArgumentParser) -> None:
    """The option that names the user whom a program started by root becomes."""
    parser.add_argument(
        "--uid",
        type=int,
        metavar="N",
        help="the user to become, where root starts this (default: VERILABEL_SANDBOX_UID)",
    )


def box_spec(args: argparse.Namespace) -> BoxSpec:
    """The box that the options ask for. Raises UsageError for a user that there cannot be."""
    from verilabel.sandbox.interface import BoxSpec, Level

    check_user(args)
    at_least: Level = args.at_least or ("C2" if args.provider == "auto" else "C0")
    return BoxSpec(provider=args.provider, at_least=at_least, uid=args.uid)


def check_user(args: argparse.Namespace) -> None:
    """Check --uid. Raises UsageError."""
    if args.uid is not None and not 0 < args.uid < 2**32 - 1:
        raise UsageError("a user to become has a number above 0", where=f"--uid {args.uid}")
