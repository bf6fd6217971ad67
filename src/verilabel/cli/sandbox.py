"""Containment for agents and their tools: what works on this machine, proven by probes that try to get out.

`doctor` opens a box, runs a program in it that tries over a hundred ways out, looks at the host before and after, and
signs what it found: a containment attestation, which agents' episodes cite. Nothing is tried as the host's root; a
program that root starts needs --uid. The probes change nothing; with --heavy they also use up what the box may use.
`list` says which providers work here and why others do not. `run` runs one program in a box, and ends as it ends.

examples:
  verilabel sandbox list
  verilabel sandbox doctor --out containment.json
  verilabel sandbox doctor --provider bubblewrap --uid 65534 --heavy --json
  verilabel sandbox verify containment.json --trust trust.yaml --here
  verilabel sandbox run -- python3 -c "print(6 * 7)"
  verilabel sandbox probes

exit statuses of `doctor` and `verify`: 0 nothing escaped, 1 something did (or `verify --here` does not speak for this
machine), 4 the attestation was changed, 6 no such box can be made, or root without --uid, 8 a probe that had to be
stopped gave no answer. `run`: the program's own; 124 where its time was over, 128 and the signal's number where one
ended it.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from verilabel.cli import sandbox_options
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.sandbox.interface import BoxSpec, ExecResult

SUMMARY = "containment for agents and their tools: what works here, proven by probes"
MAX_STDIN = 64 * 2**20
CONTAINS = {
    "bubblewrap": "namespaces, Landlock and seccomp (C2); with a control group C3",
    "gvisor": "a kernel of its own (C4)",
    "process": "nothing (C0): a plain process, only where it is asked for by name",
}
"""What providers contain, by docs/containment.md; what was achieved is measured of each box."""
THROUGH_INSPECT = {
    "docker": "containers",
    "podman": "containers without root (package inspect-podman)",
    "k8s": "pods (package inspect-k8s-sandbox); a RuntimeClass of gVisor or Kata makes them C4",
}
"""Providers that Inspect has, and that its tasks use unchanged."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from verilabel.cli import sandbox_doctor

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="providers, and which work here", allow_abbrev=False)
    sandbox_options.add_user_option(listing)
    add_json_flag(listing)
    probes = actions.add_parser("probes", help="what the doctor tries", allow_abbrev=False)
    add_json_flag(probes)
    doctor = actions.add_parser(
        "doctor", help="try to get out of a box, and sign what came of it", allow_abbrev=False
    )
    sandbox_doctor.configure_doctor(doctor)
    verify = actions.add_parser("verify", help="check a containment attestation", allow_abbrev=False)
    sandbox_doctor.configure_verify(verify)
    running = actions.add_parser("run", help="run one program in a box", allow_abbrev=False)
    _configure_run(running)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action."""
    from verilabel.cli import sandbox_doctor

    actions = {
        "list": _list,
        "probes": _probes,
        "doctor": sandbox_doctor.run_doctor,
        "verify": sandbox_doctor.run_verify,
        "run": _run,
    }
    return actions[args.action](args)


# -- list, probes --------------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> ExitStatus:
    from verilabel.sandbox.interface import BoxSpec
    from verilabel.sandbox.opening import available
    from verilabel.sandbox.probing.apparmor import advise, read_restriction

    sandbox_options.check_user(args)
    found = available(BoxSpec(at_least="C0", uid=args.uid))
    advice = advise(read_restriction())
    if args.json:
        print_json(
            {
                "providers": [
                    {"name": name, "works": objection is None, "objection": objection}
                    for name, objection in found.items()
                ],
                "through_inspect": sorted(THROUGH_INSPECT),
                "advice": advice,
            }
        )
        return ExitStatus.OK
    rows = [
        (name, CONTAINS.get(name, ""), "yes" if objection is None else f"no: {plain(objection)}")
        for name, objection in found.items()
    ]
    rows += [(name, words, "through Inspect") for name, words in THROUGH_INSPECT.items()]
    print_table(["provider", "contains", "works here"], rows)
    if advice is not None:
        print(f"\n{advice}")
    print("\nwhat a box stops, its doctor says: verilabel sandbox doctor")
    return ExitStatus.OK


def _probes(args: argparse.Namespace) -> ExitStatus:
    import msgspec

    from verilabel.sandbox.probing.program import list_digest, list_probes, program_digest

    probes = list_probes()
    if args.json:
        print_json(
            {
                "probes": msgspec.to_builtins(probes),
                "list_sha256": list_digest(),
                "program_sha256": program_digest(),
            }
        )
        return ExitStatus.OK
    words = {"always": "any box", "": "nobody, it informs"}
    print_table(
        ["probe", "tries", "must be stopped by"],
        [
            (probe.id, probe.tries + (" (heavy)" if probe.heavy else ""), words.get(probe.by, probe.by))
            for probe in probes
        ],
    )
    print(
        f"\n{len(probes)} probes, {sum(probe.heavy for probe in probes)} of them heavy; list {list_digest()}"
    )
    return ExitStatus.OK


# -- run -----------------------------------------------------------------------------------------------------------


def _configure_run(parser: argparse.ArgumentParser) -> None:
    sandbox_options.add_box_options(parser, at_least="C2")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="until it is ended (default 60)"
    )
    parser.add_argument("--stdin", action="store_true", help="hand it what this program is given as input")
    parser.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="SOURCE:TARGET",
        help="a file or folder of the host that it sees, read-only (repeatable)",
    )
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a variable for it (repeatable)"
    )
    add_json_flag(parser)
    parser.add_argument("argv", nargs="+", metavar="ARGV", help="the program and its arguments, after --")


def _run(args: argparse.Namespace) -> ExitStatus:
    import asyncio

    import msgspec

    from verilabel.sandbox.interface import Mount

    if not 0 < args.timeout <= 86_400:
        raise UsageError("from a moment to a day", where=f"--timeout {args.timeout}")
    mounts = [_pair(text, ":", "--mount") for text in args.mount]
    spec = msgspec.structs.replace(
        sandbox_options.box_spec(args),
        mounts=tuple(Mount(str(Path(source).resolve()), target) for source, target in mounts),
    )
    env = dict(_pair(text, "=", "--env") for text in args.env)
    done, level = asyncio.run(_run_boxed(spec, args.argv, _input(args), args.timeout, env))
    status = 124 if done.timed_out else done.exit_status if done.exit_status >= 0 else 128 - done.exit_status
    if args.json:
        print_json(
            {
                "exit_status": done.exit_status,
                "timed_out": done.timed_out,
                "limit_hit": done.limit_hit,
                "stdout": done.stdout.decode("utf-8", "replace"),
                "stderr": done.stderr.decode("utf-8", "replace"),
                "stdout_total": done.stdout_total,
                "stderr_total": done.stderr_total,
                "containment": level,
            }
        )
    else:
        _print_streams(done)
    return cast(ExitStatus, status)  # the program's own, as it would have been without a box


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not name or not found or not value:
        raise UsageError(f"not two parts with {separator!r} between them", where=f"{option} {text}")
    return name, value


def _input(args: argparse.Namespace) -> bytes:
    if not args.stdin:
        return b""
    data = sys.stdin.buffer.read(MAX_STDIN + 1)
    if len(data) > MAX_STDIN:
        raise UsageError(f"more than {MAX_STDIN} bytes of input", where="--stdin")
    return data


async def _run_boxed(
    spec: BoxSpec, argv: list[str], stdin: bytes, timeout_s: float, env: dict[str, str]
) -> tuple[ExecResult, str]:
    from verilabel.sandbox.opening import open_box

    box = await open_box(spec)
    try:
        return await box.exec(argv, stdin=stdin, timeout_s=timeout_s, env=env), box.containment.level
    finally:
        await box.close()


def _print_streams(done: ExecResult) -> None:
    """Both streams as they came, on a terminal with what would command it made visible; where something was thrown
    away, a line on standard error says how much."""
    from verilabel.report.untrusted import show_unseen

    for stream, data, total in (
        (sys.stdout, done.stdout, done.stdout_total),
        (sys.stderr, done.stderr, done.stderr_total),
    ):
        text = data.decode("utf-8", "replace")
        if stream.isatty():
            stream.write(show_unseen(text))
        elif isinstance(stream, io.TextIOWrapper):
            stream.buffer.write(data)
        else:
            stream.write(text)
        stream.flush()
        if total > len(data):
            print(f"[{total - len(data)} bytes more were thrown away]", file=sys.stderr)
    if done.timed_out:
        print("[its time was over]", file=sys.stderr)
    if done.limit_hit:
        print(f"[the box's limit struck: {done.limit_hit}]", file=sys.stderr)
