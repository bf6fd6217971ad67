"""The command line: one file a noun, found here by name and imported only when it is used.

A noun module has `SUMMARY` (one line), `configure(parser)` and `run(args) -> ExitStatus`; it prints through
`cli.console`. Errors of the package's tree become one message on standard error and their exit status.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from verilabel import __version__
from verilabel.errors import ExitStatus, UsageError, VerilabelError

NOUNS: dict[str, str] = {
    "demo": "the whole chain on a built-in simulated model: plan, run, label, sign, verify, report",
    "plan": "what a label would cost and what each row could decide, before anything runs",
    "label": "run, score, decide, seal: a signed label from a model and suites",
    "run": "ask the model, keep the evidence, score it (steps 1 to 4)",
    "score": "score kept answers with detectors (step 4 alone)",
    "decide": "decide a label from kept scores (steps 5 and 6 alone)",
    "import": "read another tool's results, recompute its headlines, and label what they evidence",
    "verify": "check a bundle offline and recompute its label; --page does it in the browser",
    "show": "read a bundle: the label, its rows, its evidence; --html writes a report",
    "gate": "exit 0 or 1: does this bundle's label meet what you require?",
    "check": "compare a bundle with a baseline in CI: no worse, worse or inconclusive",
    "compare": "compare two models or versions answer by answer, on the same suites",
    "reproduce": "run a bundle's own plan against the model again",
    "replicate": "compare two parties' bundles of one system; sign what was found",
    "dispute": "sign an objection to somebody's label",
    "withdraw": "withdraw a label, a replication or a dispute of one's own",
    "attest": "sign a statement about a system that a rubric asks for",
    "statements": "show, check and attach what others signed about a label",
    "seal": "withhold dual-use records from a bundle and leave commitments to them",
    "challenge": "choose withheld records by a public nonce that nobody could foresee",
    "open": "open the withheld records that a challenge chose",
    "lens": "the same evidence under every rubric, and where they disagree",
    "claims": "what a model card claims, what its claims lack, and what bundles say of them",
    "export": "write a label in other tools' formats",
    "suites": "list, show, pull and lint suites",
    "detectors": "list detectors with their measured errors; measure and audit them",
    "rubric": "list, lint, show, explain and compare rubrics",
    "frameworks": "catalogues of published frameworks, and crosswalks between them",
    "keys": "make and show signing keys",
    "log": "transparency logs: show, prove, check; serve, submit and audit",
    "gateway": "an LLM gateway: guards, limits, approvals, admission by label, an audit trail",
    "policy": "lint, test, compare, sign and pull policies of guards and of tools",
    "approvals": "list and decide what a gateway holds for people",
    "mcp": "an MCP gateway: tool policies, pins, approvals; scan, explain, bench; our own MCP server",
    "data": "audit training data: PII, licences, contamination, duplicates, harm; proofs, bounds, exports",
    "sandbox": "containment for agents and their tools: what works here, proven by probes",
    "witness": "cosign the checkpoints of logs that only ever grow",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes join the error tree (exit status 2)."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, hint=f"{self.prog} --help")


def _overview() -> str:
    width = max(map(len, NOUNS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in NOUNS.items())
    return (
        "Safety labels for AI models that anyone can check.\n\n"
        f"usage: verilabel COMMAND [options]\n\ncommands:\n{lines}\n\n"
        "  --version   print the version\n"
        "  COMMAND --help shows its options and examples; --json prints results for programs.\n\n"
        "examples:\n  verilabel demo\n"
        "  verilabel label --model ollama/llama3.2 --suite core/harm-direct --rubric core --out out.bundle\n"
        "  verilabel verify out.bundle\n\n"
        "exit statuses: 0 ok, 1 a check says no, 2 usage, 3 malformed input, 4 signature or digest or log,\n"
        "               5 model or provider, 6 sandbox, 7 policy, 8 undetermined"
    )


def _noun(name: str) -> ModuleType:
    if name not in NOUNS:
        import difflib

        near = difflib.get_close_matches(name, NOUNS, n=1)
        raise UsageError(
            f"no command {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else "verilabel --help lists them",
        )
    return importlib.import_module(module_of(name))


def module_of(noun: str) -> str:
    """The name of the module of a command; one that is a keyword of Python has an underscore behind it."""
    return f"verilabel.cli.{noun}_" if keyword.iskeyword(noun) else f"verilabel.cli.{noun}"


def parser_for(name: str) -> argparse.ArgumentParser:
    """The parser of one command, for running it and for writing its documentation."""
    module = _noun(name)
    parser = _Parser(
        prog=f"verilabel {name}",
        description=(module.__doc__ or module.SUMMARY).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    return parser


def run_line(arguments: Sequence[str]) -> ExitStatus:
    """Run one command line and return its exit status; errors of the package's tree are raised."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return ExitStatus.OK if arguments else ExitStatus.USAGE
    if arguments[0] == "--version":
        print(f"verilabel {__version__}")
        return ExitStatus.OK
    parser = parser_for(arguments[0])
    parsed = parser.parse_args(arguments[1:])
    status: ExitStatus = _noun(arguments[0]).run(parsed)
    return status


def _mend_streams() -> None:
    """Make the standard streams usable whatever this process was started with.

    A closed one becomes the null device, lest the next file that is opened takes its number and what is printed; one
    that cannot write every character escapes what it cannot.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the `verilabel` program: never a traceback for an error the package knows."""
    _mend_streams()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = int(run_line(given))
        sys.stdout.flush()
        return status
    except VerilabelError as error:
        from verilabel.cli.console import report_error

        return report_error(error, as_json="--json" in given)
    except KeyboardInterrupt:
        print("interrupted; what was written is kept, and the same command continues", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a program that a closed pipe ends: never a success that was not
    except OSError as error:
        from verilabel.cli.console import report_os_error

        return report_os_error(error, as_json="--json" in given)
