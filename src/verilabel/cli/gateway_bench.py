"""Measure gateways side by side: what leaks, what stalls, how fast, how large; ours, a bare one and rivals in one run.

A mock upstream and a load program run on one CPU, the gateway on another. `leak` plants made-up secrets in replies and
streams, cut in every way, and says how much of each reached the client; `stall` sends texts that make scanners slow and
says how long others wait meanwhile; `load` says start, memory, latency, requests and streams a second; `memory` asks
200,000 times under new names; `limits` holds two workers to one limit through a real redis-server; `approvals` kills a
worker while approvals are queued.

Rivals are measured from a Python environment of their own where they are installed, each at its default and at its
safest setting; the page of the documentation says how each is configured. Full figures take long, and want a
machine that does nothing else: `--quick` shows in some minutes that everything works, and its figures are not to be
quoted. Columns of CPU time feel a busy machine least.

examples:
  verilabel gateway bench --quick
  verilabel gateway bench --only leak,stall --rivals bare,litellm
  verilabel gateway bench --rivals-python .venv-rivals/bin/python --out bench.json
  verilabel gateway bench --only load --rounds 5 --rivals none --json
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway_bench.bench import Options

SUMMARY = "measure gateways side by side: leaks, stalls, load, memory"
SECTIONS = ("leak", "stall", "load", "memory", "limits", "approvals")
RIVALS = ("bare", "nginx", "litellm", "nemo")
DEFAULT_PYTHON = Path(".venv-rivals/bin/python")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gateway bench`."""
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that everything works")
    parser.add_argument("--only", metavar="PART,...", help=f"these parts alone, of {', '.join(SECTIONS)}")
    parser.add_argument(
        "--rivals",
        metavar="NAME,...",
        help=f"beside ours: {', '.join(RIVALS)}, or none (default all installed)",
    )
    parser.add_argument(
        "--rivals-python",
        type=Path,
        metavar="PATH",
        help=f"the Python of the rivals' environment (default {DEFAULT_PYTHON}, where it is)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="K", help="rounds of the load table (default 3)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="what secrets and cuts are drawn from"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results as JSON to a file, too")
    parser.add_argument("--force", action="store_true", help="replace FILE where it is there")
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Measure, and print the tables."""
    from verilabel.gateway.opening import require_gateway

    options = read_options(args)
    if args.out is not None and args.out.exists() and not args.force:
        raise UsageError("there is such a file already", where=str(args.out), hint="--force")
    require_gateway()
    from verilabel.gateway_bench.running import run_bench

    try:
        results = asyncio.run(run_bench(options, lambda text: print(text, file=sys.stderr, flush=True)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    if args.out is not None:
        import json

        from verilabel.evidence.atomic import write_file

        data = json.dumps(results.document(), indent=2).encode() + b"\n"
        write_file(args.out, data, overwrite=args.force)
    if args.json:
        print_json(results.document())
    else:
        print(results.text())
    return ExitStatus.OK


def read_options(args: argparse.Namespace) -> Options:
    """What the arguments ask for. Raises UsageError."""
    from verilabel.gateway_bench.bench import Options

    if args.rounds < 1:
        raise UsageError("there is at least one round", where=f"--rounds {args.rounds}")
    python = args.rivals_python
    if python is None and DEFAULT_PYTHON.exists():
        python = DEFAULT_PYTHON
    if args.rivals_python is not None and not python.exists():
        raise UsageError("there is no such Python", where=f"--rivals-python {python}")
    rivals = () if args.rivals == "none" else _words(args.rivals, RIVALS, "--rivals")
    return Options(
        sections=_words(args.only, SECTIONS, "--only"),
        rivals=rivals,
        # not resolved: the link itself says which environment it is
        rivals_python=None if python is None else python.absolute(),
        quick=args.quick,
        rounds=args.rounds,
        seed=args.seed,
    )


def _words(given: str | None, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Known words of a list, in their own order; all where nothing is given."""
    if given is None:
        return known
    words = [word.strip() for word in given.split(",") if word.strip()]
    unknown = next((word for word in words if word not in known), None)
    if unknown is not None or not words:
        raise UsageError(
            f"there is no {unknown or given!r}", where=option, hint=f"there are {', '.join(known)}"
        )
    return tuple(word for word in known if word in words)
