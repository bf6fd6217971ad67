"""Write docs/cli.md from the command line's own parsers.

python docs/generate_cli.py            write the page
python docs/generate_cli.py --check    end with status 1 where the page is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from verilabel.cli import NOUNS, parser_for
from verilabel.errors import ExitStatus

PAGE = Path(__file__).resolve().parent / "cli.md"
PLAIN_GROUPS = ("positional arguments", "options")
MEANINGS = {
    ExitStatus.OK: "done; for a check: yes",
    ExitStatus.CHECK_FAILED: "a check says no: the gate fails, the label does not follow or is not in force",
    ExitStatus.USAGE: "the command cannot be carried out as asked, or an optional package is missing",
    ExitStatus.MALFORMED: "a file, rubric, suite, record or bundle is not what it must be",
    ExitStatus.SEAL: "a signature, digest, Merkle root or log proof does not hold",
    ExitStatus.MODEL: "the model or its provider cannot be used",
    ExitStatus.SANDBOX: "a process could not be started or contained",
    ExitStatus.POLICY: "a policy forbids it",
    ExitStatus.UNDETERMINED: "the evidence does not decide the question",
}


def render_page() -> str:
    """The whole page: every command with its arguments, options and examples, then the exit statuses."""
    parts = [
        "# Commands",
        "Written by `docs/generate_cli.py` from the parsers themselves; a test fails where this page is old. "
        "`verilabel COMMAND --help` prints the same.",
        "| command | what it does |\n|---|---|\n"
        + "\n".join(f"| [{name}](#verilabel-{name}) | {summary} |" for name, summary in NOUNS.items()),
    ]
    parsers = {name: parser_for(name) for name in NOUNS}
    tables = Counter(table for parser in parsers.values() for _, table in _tables_of(parser))
    for name, parser in parsers.items():
        parts += [f"## verilabel {name}", *_render_parser(parser, tables)]
    shared = {
        title: table
        for p in parsers.values()
        for title, table in _tables_of(p)
        if title and tables[table] > 1
    }
    for title, table in shared.items():
        parts += [f"## Options: {title}", table]
    parts += ["## Exit statuses", _render_statuses()]
    return "\n\n".join(parts) + "\n"


def _render_parser(parser: argparse.ArgumentParser, tables: Counter[str]) -> Iterator[str]:
    """One command; option groups that several commands have are written once, further down, and linked."""
    yield from _render_text(parser.description or "")
    elsewhere = []
    for title, table in _tables_of(parser):
        if title and tables[table] > 1:
            elsewhere.append(f"[{title}](#options-{title.replace(',', '').replace(' ', '-')})")
        else:
            yield table
    if elsewhere:
        yield f"And the options of {', '.join(elsewhere)}."
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield f"### {sub.prog}"
                yield f"{_sentence(helps.get(name) or '')}"
                yield from (table for _, table in _tables_of(sub))


def _tables_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Title and table of a parser's own arguments, then of each titled group of options."""
    groups: dict[str, list[str]] = {}
    for group in parser._action_groups:
        title = "" if group.title in PLAIN_GROUPS else str(group.title)
        rows = [row for action in group._group_actions if (row := _row_of(action)) is not None]
        groups.setdefault(title, []).extend(rows)
    for title, rows in groups.items():
        if rows:
            yield title, "| argument | |\n|---|---|\n" + "\n".join(rows)


def _render_text(text: str) -> Iterator[str]:
    """Paragraphs as they stand; the examples as commands; lists set in columns as they are."""
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0].strip() == "examples:":
            yield "```console\n" + "\n".join(line[2:] for line in lines[1:]) + "\n```"
        elif any(line.startswith("  ") for line in lines):
            yield "```text\n" + "\n".join(lines) + "\n```"
        else:
            yield "\n".join(lines)


def _row_of(action: argparse.Action) -> str | None:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    required = " (required)" if action.option_strings and action.required else ""
    text = (action.help or "").replace("|", "\\|").replace("<", "&lt;")
    return f"| `{_spell(action)}` | {text}{required} |"


def _spell(action: argparse.Action) -> str:
    metavar = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices is not None else action.dest.upper()
    )
    value = str(metavar).replace("|", "\\|")
    if not action.option_strings:
        value = value if action.metavar else action.dest
        return {"*": f"[{value} ...]", "+": f"{value} ...", "?": f"[{value}]"}.get(str(action.nargs), value)
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _render_statuses() -> str:
    rows = "\n".join(f"| {int(status)} | {MEANINGS[status]} |" for status in ExitStatus)
    return (
        f"| status | meaning |\n|---|---|\n{rows}\n\n"
        "A run that is interrupted from the keyboard ends with 130, and one whose output is closed early with 141. "
        "Errors go to standard error; with `--json` they are one JSON object with `error`, `message`, `where`, `hint` "
        "and `status`."
    )


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it."""
    page = render_page()
    if arguments == ["--check"]:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
        if not current:
            print("docs/cli.md is old: run python docs/generate_cli.py", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
