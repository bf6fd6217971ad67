"""Reading an Inspect log: this product's reader, with a digest a record, beside Inspect's own."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.processes import Cost, first_cpu, run_command
from benchmarks.settings import PEERS, CommandFailed, NotMeasured, Settings, peer_program, program
from benchmarks.tables import Section, Spread, Table

SAMPLES = 2_000
ROUNDS = 7
CLIENTS = Path(__file__).with_name("clients")
METHOD = (
    "Inspect writes a log (`.eval`) of its own run with a built-in model. Each reader, as a process of its own on one "
    "CPU, in turns after one unmeasured run, reads the whole log: Inspect's `read_eval_log`, this product's reader "
    "(SHA-256 of each record's exact bytes included), the same with every headline recomputed, and the command "
    "`verilabel import`. *inside* is without the interpreter's start and imports. The physical limit beside them "
    "decompresses every member and hashes it, no more."
)


def measure(settings: Settings) -> Section:
    """Measure both readers on one log. Raises NotMeasured where the peers are not installed."""
    inspect = peer_program("python")
    if inspect is None or not (PEERS / "bin" / "inspect").is_file():
        raise NotMeasured("Inspect is not in .venv-peers: `make bench-peers`")
    samples = 200 if settings.quick else SAMPLES
    log = _write_log(inspect, samples, settings)
    own, other = str(CLIENTS / "own_log_reader.py"), str(CLIENTS / "inspect_log.py")
    commands = {
        "inspect_ai.log.read_eval_log": [str(inspect), other, "read", str(log)],
        "verilabel reader": [sys.executable, own, str(log)],
        "verilabel import": [program(), "import", str(log)],
        "decompress and hash": [sys.executable, str(CLIENTS / "archive_limit.py"), str(log)],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(settings.rounds_or(ROUNDS) + 1):
        for name, command in commands.items():
            cost = run_command(command, settings, cpu=first_cpu())
            if name != "verilabel import" and int(cost.out.split()[0]) != samples:
                raise CommandFailed(f"{name} read {cost.out.split()[0]} of {samples} samples")
            if number:
                costs[name].append(cost)
    return Section("Importing", METHOD, (_table(log, samples, costs),), _notes(costs))


def _write_log(inspect: Path, samples: int, settings: Settings) -> Path:
    folder = settings.folder / "inspect-logs"
    run_command(
        [str(inspect), str(CLIENTS / "inspect_log.py"), "write", str(samples), str(folder)], settings, cpu=-1
    )
    (log,) = folder.glob("*.eval")
    return log


def _inside(name: str, cost: Cost) -> float | None:
    return None if name == "verilabel import" else float(cost.out.split()[1])


def _table(log: Path, samples: int, costs: dict[str, list[Cost]]) -> Table:
    rows: list[tuple[str | Spread | None, ...]] = []
    for name, found in costs.items():
        inside = [value for cost in found if (value := _inside(name, cost)) is not None]
        rows.append(
            (
                name,
                Spread(tuple(inside)) if inside else None,
                Spread(tuple(cost.wall_s for cost in found)),
                Spread(tuple(cost.rss_mb for cost in found)),
            )
        )
        if name == "verilabel reader":
            whole = Spread(tuple(float(cost.out.split()[2]) for cost in found))
            rows.append(("verilabel reader, headlines recomputed", whole, None, None))
    title = f"{samples:,} samples, {log.stat().st_size / 1e6:.2f} MB"
    return Table(title, ("reader", "inside s", "whole process s", "peak MB"), tuple(rows))


def _notes(costs: dict[str, list[Cost]]) -> tuple[str, ...]:
    def median(name: str) -> float:
        return Spread(tuple(float(cost.out.split()[1]) for cost in costs[name])).median

    factor = median("inspect_ai.log.read_eval_log") / median("verilabel reader")
    return (f"inside, this product's reader is {factor:.1f} times as fast as Inspect's.",)
