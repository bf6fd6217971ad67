"""Measure Verilabel side by side with others, and write down what was measured in this run and nothing else.

examples:
  python -m benchmarks                        every benchmark
  python -m benchmarks startup stopping       two of them
  python -m benchmarks --quick                small numbers: does everything work?
  python -m benchmarks --peers --write        with other tools (make bench-peers); writes benchmarks/RESULTS.md
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe_machine, load_averages
from benchmarks.settings import CommandFailed, NotMeasured, Settings
from benchmarks.tables import Section

RESULTS = Path(__file__).with_name("RESULTS.md")
BENCHMARKS = {
    "engine": "samples a second with full evidence, beside the bare loop and other tools",
    "importing": "reading an Inspect log with a digest a record, beside Inspect itself",
    "verify": "verifying a large bundle, beside hashing the same bytes",
    "browser": "the verifier's page in Chromium, beside the command",
    "lens": "one bundle under every bundled rubric, after verifying it",
    "gateway": "the gateway beside a bare pass-through and, with --peers, LiteLLM and NeMo Guardrails",
    "mcp_calls": "tool calls through the MCP gateway, beside none and FastMCP's proxy",
    "sandbox": "opening a box and running programs in it, beside a plain process",
    "audit": "auditing training data, beside datatrove, dolma, Presidio and ScanCode",
    "startup": "from the shell to the first output",
    "stopping": "answers asked until a row is decided, beside a fixed plan",
    "refusal": "refusal detection on a model it has not seen, beside string matching",
    "detectors": "microseconds a detector takes for one answer",
}


def measure_section(name: str, settings: Settings) -> Section:
    """Carry out one benchmark; one that this machine cannot carry out says so in its section."""
    module = importlib.import_module(f"benchmarks.{name}")
    try:
        section: Section = module.measure(settings)
    except NotMeasured as missing:
        return Section(name, f"Not measured: {missing}")
    return section


def results_page(machine: Sequence[str], sections: Sequence[Section]) -> str:
    """RESULTS.md for these sections."""
    head = (
        "# Results\n\nWritten by `python -m benchmarks --write` from what was measured in one run; do not edit it. "
        "Values are medians, with the least and the greatest of all rounds in parentheses. "
        "Memory is peak resident memory; a command smaller than its launcher, a bare interpreter, shows the launcher's."
    )
    described = "\n".join(f"- {line}" for line in machine)
    return "\n\n".join([head, described, *(section.markdown() for section in sections)]) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments name. Exit status 1 where a measured command failed: nothing is written then."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    listed = "; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all. {listed}")
    parser.add_argument("--quick", action="store_true", help="small numbers; never written down")
    parser.add_argument("--peers", action="store_true", help="measure other tools too, from .venv-peers")
    parser.add_argument("--rounds", type=int, metavar="K", help="measured rounds of each command")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if given.write and given.quick:
        parser.error("--quick figures are not for writing down; leave out --quick or --write")
    if given.write and given.names:
        parser.error("the results are those of every benchmark in one run; leave out the names or --write")
    if given.rounds is not None and given.rounds < 1:
        parser.error("--rounds must be at least 1")
    machine = describe_machine(arguments, peers=given.peers)
    print("\n".join(machine), flush=True)
    sections = []
    with tempfile.TemporaryDirectory(prefix="verilabel-benchmarks-") as folder:
        settings = Settings(Path(folder), given.quick, given.peers, given.rounds)
        for name in given.names or BENCHMARKS:
            try:
                sections.append(measure_section(name, settings))
            except CommandFailed as failure:
                print(f"error: {name}: {failure}", file=sys.stderr)
                return 1
            print(f"\n{sections[-1].text()}", flush=True)
    if given.write:
        from verilabel.evidence.atomic import write_file

        machine.append(f"load averages at the end: {load_averages()}")
        write_file(RESULTS, results_page(machine, sections).encode(), overwrite=True)
        print(f"\nwrote {RESULTS}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
