"""A section of a model card between two markers, put in or replaced without touching a byte around it."""

from __future__ import annotations

from verilabel.errors import MalformedInput
from verilabel.interchange.exporting.facts import Measured, measured, rows_of, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.wording import escape_markdown as escape
from verilabel.records.label import PAIR_WORDS

BEGIN = "<!-- verilabel:begin -->"
END = "<!-- verilabel:end -->"
MAX_CARD_BYTES = 4 * 2**20
LEVEL_LIMITS = {
    "V0": "nothing here shows that the label is right, or wrong",
    "V1": "it does not say that the numbers are right",
    "V2s": "it does not say that the records are honest, nor that what is withheld is what its scores say",
    "V2": "it does not say that the records are honest",
    "V3": "it does not say that the suites measure the risk",
    "V4": "it does not say that the system does no harm, nor that it was trained on what was audited",
}


def write_section(source: Source, options: ExportOptions) -> str:
    """The section in Markdown, markers included, with line feeds and a last one."""
    label, facts = source.label, stand(source)
    low, high = PAIR_WORDS[label.kind]
    lines = [
        BEGIN,
        f"## Evaluation label: {escape(source.rubric.title)}",
        "",
        f"**{escape(facts['sentence'])}**",
        "",
        f"Level {escape(facts['verification'])}: {LEVEL_LIMITS[source.found.level]}.",
        "",
        f"The label is a pair: *{low.replace('_', ' ')}* {escape(facts[low])}, "
        f"*{high.replace('_', ' ')}* {escape(facts[high])}. Neither half stands alone.",
        "",
    ]
    if "rubric_relation" in facts:
        lines += [f"The rubric is an {escape(facts['rubric_relation'])}.", ""]
    if "observed" in facts:
        lines += [f"Observed: {escape(facts['observed'])}.", ""]
    lines += [
        *_measures_table(measured(source)),
        "",
        *_rows_table(source),
        "",
        *_provenance(source, options),
        END,
    ]
    return "\n".join(lines) + "\n"


def _measures_table(measures: list[Measured]) -> list[str]:
    lines = [
        "| measure | suite | event | rate | answers | missing | bounds | confidence |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for measure in measures:
        interval = measure.interval
        cells = (
            measure.id,
            measure.suite.name,
            measure.event,
            f"{measure.rate:.6f}",
            str(measure.tally.n),
            str(measure.tally.missing),
            f"{interval.lower} .. {interval.upper}" if interval else "none",
            interval.confidence if interval else "none",
        )
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return lines


def _rows_table(source: Source) -> list[str]:
    lines = ["| level | row | status | what was found |", "|---|---|---|---|"]
    for placed in rows_of(source.label):
        level = f"{placed.level.level} {placed.level.name}"
        if placed.level.test != "when":
            level += f" ({placed.level.test.replace('_', ' ')})"
        cells = (level, placed.title, placed.status.replace("_", " "), placed.says)
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return lines


def _provenance(source: Source, options: ExportOptions) -> list[str]:
    facts = stand(source)
    shown = (
        ("Rubric", f"{facts['rubric']} ({facts['rubric_sha256']})"),
        (
            "System",
            f"{source.system.name} ({facts['system_sha256']}), {facts['use_case']}, {facts['locale']}",
        ),
        ("Identity of the model", facts["identity"]),
        ("Signed", f"{facts['issued']} by {facts['signer']}, valid until {facts['valid_until']}"),
        ("Flags", facts["flags"]),
        ("Statement", facts["statement_sha256"]),
        ("Evidence", f"{facts['evidence_leaves']} records under {facts['evidence_root']}"),
    )
    lines = [f"- {name}: {escape(text)}" for name, text in shown]
    if options.bundle_url:
        lines.append(f"- Bundle: <{options.bundle_url}>")
    lines += ["", "Check it on your own machine: `verilabel verify BUNDLE --trust trust.yaml`."]
    return lines


def insert_section(card: bytes, section: str, *, where: str) -> bytes:
    """A card with the section in it: in the place of an older one, else at its end.

    Line ends are the card's own (carriage return and line feed where its first line has them), and no byte outside
    the markers changes; doing it twice gives what doing it once gave. Raises MalformedInput for a card that is not
    UTF-8, or whose markers do not stand once each, the first one first.
    """
    try:
        text = card.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"the card is not UTF-8 at byte {error.start}", where=where) from error
    first = text[: text.find("\n") + 1] or text + "\n"
    newline = "\r\n" if first.endswith("\r\n") else "\n"
    body = section.rstrip("\n").replace("\n", newline)
    begins, ends = text.count(BEGIN), text.count(END)
    if begins == ends == 0:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        return (text + gap + body + newline).encode("utf-8")
    start, end = text.find(BEGIN), text.find(END)
    if begins != 1 or ends != 1 or end < start:
        raise MalformedInput(
            f"the card has {begins} begin and {ends} end markers, or they are in the wrong order",
            where=where,
            hint=f"leave one {BEGIN} and one {END} after it, or none",
        )
    return (text[:start] + body + text[end + len(END) :]).encode("utf-8")
