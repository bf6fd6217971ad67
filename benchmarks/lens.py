"""The same evidence under every bundled rubric, beside verifying it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.processes import ANY_CPU, Cost, run_command
from benchmarks.settings import CommandFailed, Settings, program
from benchmarks.tables import Section, Spread, Table
from benchmarks.workload import make_key

EPOCHS = 46
"""Of the 1,104 questions of the core suites: 50,784 answers with a score each, 101,568 records."""
ROUNDS = 5
CLIENT = Path(__file__).with_name("clients") / "lens_reading.py"
METHOD = (
    "A fixed plan asks the four core suites, every question again and again, of a simulated model; the bundle is "
    "verified and then read under every bundled rubric in one process, and each part is timed inside it. The whole "
    "commands `verilabel verify` and `verilabel lens` take turns with it, each as a process of its own."
)


def measure(settings: Settings) -> Section:
    """Measure verifying, and reading under every rubric after it."""
    bundle = core_bundle(settings, 2 if settings.quick else EPOCHS)
    commands = {
        "inside": [sys.executable, str(CLIENT), str(bundle)],
        "verilabel verify": [program(), "verify", str(bundle)],
        "verilabel lens": [program(), "lens", str(bundle)],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(settings.rounds_or(ROUNDS) + 1):
        for name, command in commands.items():
            cost = run_command(command, settings, cpu=ANY_CPU)
            if number:
                costs[name].append(cost)
    records, rubrics, rows = (int(word) for word in costs["inside"][0].out.split()[:3])
    if not rows:
        raise CommandFailed("no rubric could assess anything: the bundle is not what was meant")
    parts = [tuple(map(float, cost.out.split()[3:])) for cost in costs["inside"]]
    table = Table(
        f"{records:,} records, {rubrics} rubrics, {rows} rows assessed",
        ("part", "s", "peak MB"),
        (
            ("inside: verify", Spread(tuple(p[0] for p in parts)), None),
            ("inside: read the rubrics", Spread(tuple(p[1] for p in parts)), None),
            ("inside: count, decide, compare", Spread(tuple(p[2] for p in parts)), None),
            *(
                (
                    name,
                    Spread(tuple(c.wall_s for c in costs[name])),
                    Spread(tuple(c.rss_mb for c in costs[name])),
                )
                for name in ("verilabel verify", "verilabel lens")
            ),
        ),
    )
    return Section("Lens", METHOD, (table,), (f"rounds: {settings.rounds_or(ROUNDS)}; not pinned.",))


def core_bundle(settings: Settings, epochs: int) -> Path:
    """A bundle of the four core suites, each question asked `epochs` times of a simulated model."""
    make_key(settings)
    bundle = settings.folder / f"core-{epochs}.bundle"
    if bundle.exists():
        return bundle
    asked = ("--model", "simulated:rate=0.01,refusal=0.04,accuracy=0.93,seed=1", "--rubric", "core")
    how = ("--design", "fixed", "--epochs", str(epochs), "--seed", "bench", "--connections", "100", "--quiet")
    run_command([program(), "label", *asked, *how, "--out", str(bundle)], settings, cpu=ANY_CPU)
    return bundle
