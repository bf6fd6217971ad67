"""Being written."""

from __future__ import annotations

import argparse

from verilabel.errors import ExitStatus, UsageError

SUMMARY = "being written"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    del parser


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry it out."""
    del args
    raise UsageError("not there yet")
