"""The whole chain in a minute, on this machine alone: plan, run, label, sign, verify, gate, tamper, report.

The demo's model is built in and its answers are simulated: they show the method, not a real model. No key, no network
and no service is used; everything is written into one folder.

examples:
  verilabel demo
  verilabel demo --out demo-out --open
  verilabel demo --json
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from verilabel.cli import options, run_line, seal_options
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus, UsageError

SUMMARY = "the whole chain on a built-in simulated model: plan, run, label, sign, verify, report"
MODEL = "simulated:rate=0.01,refusal=0.04,accuracy=0.93,seed=1"
MARKER = ".verilabel-demo"
BUNDLE, TAMPERED, REPORT, TRUST = "demo.bundle", "tampered.bundle", "report.html", "trust.yaml"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), help="folder for all it writes (default demo-out)"
    )
    parser.add_argument("--open", action="store_true", help="open the report in a browser")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Run the demonstration; each step is the command that a user would type."""
    options.require_evaluation()
    folder: Path = args.out
    _prepare_folder(folder)
    # for programs, the steps' own text goes out of the way of the result
    with _home_at(folder / "home"), redirect_stdout(sys.stderr if args.json else sys.stdout):
        steps = _show_chain(folder)
    report = folder / REPORT
    if args.json:
        print_json(
            {"folder": str(folder), "bundle": str(folder / BUNDLE), "report": str(report), "steps": steps}
        )
    else:
        print(f"\nopen {report.resolve()}")
    if args.open:
        import webbrowser

        webbrowser.open(report.resolve().as_uri())
    return ExitStatus.OK


@contextmanager
def _home_at(folder: Path) -> Iterator[None]:
    """Keep the demo's keys and log apart from the user's own."""
    before = os.environ.get("VERILABEL_HOME")
    os.environ["VERILABEL_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["VERILABEL_HOME"]
        else:
            os.environ["VERILABEL_HOME"] = before


def _show_chain(folder: Path) -> list[dict[str, object]]:
    """Every step of the chain in one folder; returns their commands and exit statuses."""
    bundle, tampered, report, trust = (folder / name for name in (BUNDLE, TAMPERED, REPORT, TRUST))
    measured = ["--model", MODEL, "--name", "demo-model", "--rubric", "core", "--seed", "demo"]
    print("The model of this demo is built in and simulated: its answers are not a real model's.")

    steps = [_step("A signing key, and a trust policy that names it and the local log's", "keys", "new")]
    _write_trust(trust)
    steps += [
        _step("What a label would cost and could decide, before anything runs", "plan", *measured),
        _step(
            "Ask, score, decide and seal; the plan is logged first",
            *("label", *measured, "--out", str(bundle), "--quiet"),
        ),
        _step("Anyone checks it offline, from the evidence up", "verify", str(bundle), "--trust", str(trust)),
        _step("A program decides by it", "gate", str(bundle), "--min", "L2", "--trust", str(trust)),
    ]
    _tamper(bundle, tampered)
    steps += [
        _step("One byte of one answer was changed: the check says where", "verify", str(tampered)),
        _step("The report", "show", str(bundle), "--trust", str(trust), "--html", str(report)),
    ]
    return steps


def _step(title: str, *command: str) -> dict[str, object]:
    line = f"verilabel {shlex.join(command)}"
    print(f"\n== {title}\n$ {line}")
    status = run_line(command)
    if status != ExitStatus.OK:
        print(f"(exit status {int(status)})")
    return {"command": line, "status": int(status)}


def _prepare_folder(folder: Path) -> None:
    """Empty the demo's own folder; refuse any other that is not empty."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise UsageError("this folder is not empty and not a demo's", where=str(folder), hint="--out DIR")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("written by `verilabel demo`; it may be deleted\n")


def _write_trust(path: Path) -> None:
    from verilabel.evidence.keys import key_path, load_public

    key = load_public(key_path("default").with_suffix(".pub"))
    with seal_options.open_log(None, "demo") as log:
        log_key = log.public_key
    path.write_text(
        "format: verilabel/trust/v1\naccept:\n  any:\n"
        f"    - key: {key.line}\n      name: the demo's own key\n      roles: [labels]\n"
        f"    - key: {log_key.line}\n      name: the demo's own log\n      roles: [log]\n"
    )


def _tamper(bundle: Path, copy: Path) -> None:
    from verilabel.evidence.layout import EVIDENCE

    shutil.copytree(bundle, copy)
    data = bytearray((copy / EVIDENCE).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / EVIDENCE).write_bytes(data)
