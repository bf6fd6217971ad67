"""What is done to the texts of results before an agent sees them: nothing hidden, secrets replaced, size bounded.

In this order, each step in time linear in the text:
1. halves of characters become U+FFFD, and what is beyond four times the bound is cut away;
2. escape sequences of terminals and characters that people do not see are taken out (`strip`);
3. what is far beyond `max_bytes` is cut away;
4. injections are looked for (`scan: prompt_injection`), which labels the session and may withhold the text;
5. secrets and personal data are replaced by their kind (`scan: secrets`, `pii`);
6. the text is cut at `max_bytes`, between characters, and says so.

Taking characters out comes before looking, so that nothing hides behind what is between its letters; cutting comes
last, so that no half of a secret stays.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.ruleset import RuleSet
from verilabel.detectors.spans.unicode_text import join_surrogates
from verilabel.errors import MissingExtra
from verilabel.gateway.mcp.policy.document import ResultRules
from verilabel.gateway.mcp.policy.interface import Filtered

UNTRUSTED = "untrusted"
CUT_MARK = "\n[cut: the result was longer than {limit} bytes]"
WITHHELD = "[withheld: the result holds instructions to the model]"
RAW_FACTOR = 4
"""How many times the bound a text may be before hidden characters are taken out of it."""
SLACK_BYTES = 65_536
"""Beyond the bound, what is still looked at, so that a secret at the cut is seen whole."""

MAX_ESCAPES = 20_000
"""Escape sequences that are taken out whole; of those behind them the introducer alone, which leaves them harmless."""
_INTRODUCERS = (b"\x1b", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x90", b"\xc2\x98", b"\xc2\x9e", b"\xc2\x9f")
_ESCAPES = (
    rb"(?:\x1b\[|\xc2\x9b)[0-?]{0,256}[ -/]{0,16}[@-~]"  # CSI (ECMA-48 5.4)
    rb"|(?:\x1b[\]PX^_]|\xc2[\x9d\x90\x98\x9e\x9f])[^\x07\x1b]{0,900}(?:\x07|\x1b\\|\xc2\x9c)"  # OSC, DCS, SOS, PM, APC
    rb"|\x1b[ -/]{0,16}[0-~]"  # other escapes
    rb"|\x1b"
)
"""In bytes of UTF-8; ECMA-48 sections 5.4 and 5.6. A string without its end loses its introducer alone."""
_ZERO_WIDTH = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200D),
    (0x2060, 0x2065),
    (0x206A, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt) but for bidi, and interlinear annotations."""
_BIDI = ((0x061C, 0x061C), (0x200E, 0x200F), (0x202A, 0x202E), (0x2066, 0x2069))
_CONTROLS = ((0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029))
"""Of C0 the tab, the line feed and the carriage return of a line's end stay."""
_RANGES = {"zero_width": _ZERO_WIDTH, "bidi": _BIDI, "controls": _CONTROLS}


def compile_results(rules: ResultRules) -> Results:
    """Make result rules ready. Raises MissingExtra without google-re2."""
    return Results(rules)


class Results:
    """The result rules, compiled (`interface.ResultFilter`)."""

    def __init__(self, rules: ResultRules) -> None:
        self._limit = rules.max_bytes
        self._strips_escapes = "ansi" in rules.strip
        self._strippers = tuple(
            (f"strip.{kind}", _compile(_class_of(_RANGES[kind])), _table_of(_RANGES[kind]))
            for kind in rules.strip
            if kind in _RANGES
        )
        self._strips_returns = "controls" in rules.strip
        self._escapes = _compile(_ESCAPES, latin=True) if self._strips_escapes else None
        replaced = [name for name in ("secrets", "pii") if name in rules.scan]
        self._replaced = _rule_set(*replaced) if replaced else None
        self._injections = _rule_set("injection") if "prompt_injection" in rules.scan else None
        self._withholds = rules.on_injection == "withhold"

    def apply(self, text: str) -> Filtered:
        """Filter one text of a result, an error, a resource or a prompt. Raises nothing."""
        findings: Counter[str] = Counter()
        text = text if text.isascii() else join_surrogates(text)
        text, is_cut_before = _cut(text, RAW_FACTOR * self._limit + SLACK_BYTES)
        text = self._strip(text, findings)
        text, is_cut_after = _cut(text, self._limit + SLACK_BYTES)
        labels: frozenset[str] = frozenset()
        if self._injections is not None and (found := self._injections.find(text)):
            findings.update(self._injections.rules[match.rule].id for match in found)
            labels = frozenset((UNTRUSTED,))
            if self._withholds:
                return Filtered(text=WITHHELD, labels=labels, findings=dict(findings), withheld=True)
        if self._replaced is not None:
            redaction = self._replaced.redact(text)
            findings.update(self._replaced.rules[match.rule].id for match in redaction.matches)
            text = redaction.text
        text, is_cut = _cut(text, self._limit)
        is_cut = is_cut or is_cut_after or is_cut_before
        if is_cut:
            text += CUT_MARK.format(limit=self._limit)
        return Filtered(text=text, labels=labels, findings=dict(findings), truncated=is_cut)

    def _strip(self, text: str, findings: Counter[str]) -> str:
        if self._escapes is not None and ("\x1b" in text or not text.isascii()):
            text, count = _remove_escapes(self._escapes, text)
            if count:
                findings["strip.ansi"] = count
        for name, found, table in self._strippers:
            if found(text.encode()):
                shorter = text.translate(table)
                findings[name] += len(text) - len(shorter)
                text = shorter
        if self._strips_returns and "\r" in text:
            shorter = text.replace("\r\n", "\n").replace("\r", "")
            if removed := text.count("\r") - text.count("\r\n"):
                findings["strip.controls"] += removed
                text = shorter
        return text


def _cut(text: str, limit: int) -> tuple[str, bool]:
    """At most so many bytes of UTF-8, cut between characters."""
    if len(text) * 4 <= limit:
        return text, False
    data = text.encode()
    if len(data) <= limit:
        return text, False
    return data[:limit].decode("utf-8", "ignore"), True


def _remove_escapes(escapes: Any, text: str) -> tuple[str, int]:
    data = text.encode()
    kept: list[bytes] = []
    count = place = 0
    size = len(data)
    while count < MAX_ESCAPES:
        start, end = escapes(data, place, size)
        if start < 0:
            break
        kept.append(data[place:start])
        place = end
        count += 1
    if not count:
        return text, 0
    rest = data[place:]
    for introducer in _INTRODUCERS:
        rest = rest.replace(introducer, b"")
    kept.append(rest)
    return b"".join(kept).decode("utf-8", "ignore"), count


def _class_of(ranges: tuple[tuple[int, int], ...]) -> bytes:
    return ("[" + "".join(rf"\x{{{low:X}}}-\x{{{high:X}}}" for low, high in ranges) + "]").encode()


def _table_of(ranges: tuple[tuple[int, int], ...]) -> dict[int, None]:
    return {point: None for low, high in ranges for point in range(low, high + 1)}


@functools.cache
def _rule_set(*packs: str) -> RuleSet:
    return RuleSet([rule for name in packs for rule in open_pack(name)])


def _compile(pattern: bytes, *, latin: bool = False) -> Any:
    try:
        import re2
    except ImportError as error:
        raise MissingExtra("google-re2", "agents") from error
    options = re2.Options()
    options.never_capture, options.log_errors = True, False
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    run = re2.compile(pattern, options)._regexp.Match
    anywhere = re2._re2.RE2.Anchor.UNANCHORED
    if latin:
        return lambda data, start, end: run(anywhere, data, start, end)[0]
    return lambda data: run(anywhere, data, 0, len(data))[0][0] >= 0
