"""From the shell to the first output: how long each command takes where there is almost nothing to do."""

from __future__ import annotations

import sys

from benchmarks.processes import Cost, first_cpu, run_command
from benchmarks.settings import Settings, program
from benchmarks.tables import Section, Spread, Table
from benchmarks.workload import make_bundle

ROUNDS = 15
SAMPLES = 20
SLOW_S = 0.3
"""A command that takes longer is shown with its dearest imports."""
SHOWN_IMPORTS = 5
METHOD = (
    "Each command as a process of its own on one CPU, in turns, after one unmeasured run of each. The bundle that is "
    f"verified holds {SAMPLES} answers."
)


def measure(settings: Settings) -> Section:
    """Measure the interpreter alone, the import, the help and the verification of a small bundle."""
    bundle = make_bundle(settings, settings.folder / "startup", SAMPLES, prompt_bytes=230)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import verilabel'": [sys.executable, "-c", "import verilabel"],
        "verilabel --help": [sys.executable, program(), "--help"],
        "verilabel run --help": [sys.executable, program(), "run", "--help"],
        "verilabel verify SMALL": [sys.executable, program(), "verify", str(bundle)],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(settings.rounds_or(ROUNDS) + 1):
        for name, command in commands.items():
            cost = run_command(command, settings, cpu=first_cpu())
            if number:
                costs[name].append(cost)
    rows = tuple(
        (
            name,
            Spread(tuple(1000 * cost.wall_s for cost in found)),
            Spread(tuple(1000 * cost.cpu_s for cost in found)),
            Spread(tuple(cost.rss_mb for cost in found)),
        )
        for name, found in costs.items()
    )
    tables = [Table("Start-up", ("command", "wall ms", "CPU ms", "peak MB"), rows)]
    for name, found in costs.items():
        if Spread(tuple(cost.wall_s for cost in found)).median > SLOW_S:
            tables.append(_imports(name, commands[name], settings))
    return Section(
        "Start-up", METHOD, tuple(tables), (f"rounds: {settings.rounds_or(ROUNDS)}; CPU {first_cpu()}.",)
    )


def _imports(name: str, command: list[str], settings: Settings) -> Table:
    """The imports that take longest by themselves, of one run of a slow command."""
    cost = run_command([command[0], "-X", "importtime", *command[1:]], settings, cpu=first_cpu())
    rows = tuple((module, own, total) for own, total, module in dearest_imports(cost.err, SHOWN_IMPORTS))
    return Table(f"{name}: the dearest imports", ("module", "own us", "with what it imports us"), rows)


def dearest_imports(report: str, shown: int) -> list[tuple[int, int, str]]:
    """(own, cumulative, module) in microseconds from what `-X importtime` printed, the dearest by itself first."""
    found = []
    for line in report.splitlines():
        own, bar, rest = line.removeprefix("import time:").partition("|")
        total, second, module = rest.partition("|")
        if line.startswith("import time:") and bar and second and own.strip().isdecimal():
            found.append((int(own), int(total), module.strip()))
    return sorted(found, reverse=True)[:shown]
