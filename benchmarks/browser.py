"""The verifier's page in a real Chromium, beside the command on the same bundle."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from benchmarks.lens import EPOCHS, core_bundle
from benchmarks.processes import ANY_CPU, Cost, run_command
from benchmarks.settings import CommandFailed, NotMeasured, Settings, program
from benchmarks.tables import Section, Spread, Table

ROUNDS = 5
CLIENT = Path(__file__).with_name("clients") / "page_in_chromium.py"
METHOD = (
    "`verilabel verify BUNDLE --page` serves the page and the bundle on loopback; a headless Chromium opens it, and "
    "the time runs from opening it until the level stands on it: reading the files, all steps, drawing. The command "
    "`verilabel verify` takes turns with it as a whole process."
)


def measure(settings: Settings) -> Section:
    """Measure the page. Raises NotMeasured without Chromium or Playwright."""
    if shutil.which("chromium") is None or importlib.util.find_spec("playwright") is None:
        raise NotMeasured(
            "the page needs Chromium (Debian's package chromium) and the Python package playwright"
        )
    bundle = core_bundle(settings, 2 if settings.quick else EPOCHS)
    commands = {
        "the page in Chromium": [sys.executable, str(CLIENT), program(), str(bundle)],
        "verilabel verify": [program(), "verify", str(bundle)],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(settings.rounds_or(ROUNDS) + 1):
        for name, command in commands.items():
            cost = run_command(command, settings, cpu=ANY_CPU)
            if number:
                costs[name].append(cost)
    shown = [cost.out.split() for cost in costs["the page in Chromium"]]
    if {level for level, _ in shown} != {"V2"}:
        raise CommandFailed(f"the page shows {shown[0][0]}, not V2")
    evidence = bundle / "records" / "evidence.jsonl"
    with evidence.open("rb") as file:
        records = sum(1 for _ in file)
    rows = (
        ("the page in Chromium", Spread(tuple(float(seconds) for _, seconds in shown))),
        ("verilabel verify", Spread(tuple(cost.wall_s for cost in costs["verilabel verify"]))),
    )
    title = f"{records:,} records, {evidence.stat().st_size / 1e6:.1f} MB of evidence"
    table = Table(title, ("", "s"), rows)
    return Section("Browser", METHOD, (table,), (f"rounds: {settings.rounds_or(ROUNDS)}; not pinned.",))
