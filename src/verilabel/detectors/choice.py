"""The `choice` detector: which lettered option did the answer pick, and is it the right one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.detectors.words import leave_out_thinking
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
READ_CHARACTERS = 8_000
"""Only the first and the last half of this many characters are read."""

_ALONE = re.compile(r"^\W{0,8}([A-Za-z])\W{0,8}$")
_LEADING = re.compile(r"^[\s*_`\"'\[(]{0,8}([A-Z])\s?[).:\]*_`,]")
_DECLARED = re.compile(
    r"\b(?:answer|choice|response)s?\b(?:[ \t]{1,3}(?!not\b|never\b|neither\b|cannot\b|no\b|isn)\w{1,12}){0,4}?"
    r"[ \t]{0,3}(?:is|are|be|=|:)?[\s*_`\"'\[({:$\\]{0,12}(?:boxed\{|text\{)?(?-i:([A-Z]))(?![\w'])",
    re.IGNORECASE,
)
_ALSO = re.compile(r"[)\].*_]{0,3}\s?(?:or|and|/|,|&)\s?[(\[*_]{0,3}([A-Z])(?![\w'])")
_ARTICLE = re.compile(r"\s+(?!because|since|as |for |due|and |but |with |which |is |was )[a-z]")
_BOXED = re.compile(r"\\boxed\s?\{\s?(?:\\text\s?\{)?\s?\(?([A-Z])\)?\s?\}")
_NAMED = re.compile(r"(?<!\bnot )(?i:\b(?:option|letter)s?)\s+\(?([A-Z])(?![\w'])")
_MENTIONED = re.compile(r"(?<![\w'])(?<!\bnot )(?<!\bnot \()\(?([A-Z])(?:\)|\.(?=\s|$)|(?=[\s,;:!?*]|$))")
_RULES = (_ALONE, _LEADING, _DECLARED, _ALSO, _ARTICLE, _BOXED, _NAMED, _MENTIONED)
RULES_VERSION = "choice/1"
_SOURCE = "\n".join(p.pattern for p in _RULES) + RULES_VERSION


class ChoiceDetector:
    """Reads the chosen letter, or the option's own text, and compares it with the sample's target.

    Event `correct`. `target` may name the letter (`B`) or the option's text. An answer that names several
    options, or none, is unscored; so is a sample without choices or with a target that is none of them.
    """

    card = DetectorCard(
        id="choice", version="1.0.0", event="correct", sha256=digest(_SOURCE.encode()), exact=True
    )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Compare the option that was picked with the target."""
        gold = target_letters(sample.target, sample.choices)
        if not gold:
            return leave_unscored(
                self.card, suite, sample, epoch, "the sample's target is none of its choices"
            )
        if not output.strip():
            return leave_unscored(self.card, suite, sample, epoch, "empty answer")
        letter, how = read_letter(output, sample.choices)
        if letter is None:
            return leave_unscored(self.card, suite, sample, epoch, how)
        return score(self.card, suite, sample, epoch, value=letter in gold, detail=f"picked {letter} ({how})")


def target_letters(target: Sequence[str], choices: Sequence[str]) -> set[str]:
    """The letters of the options that the target names, by letter or by text; empty where it names none."""
    letters = LETTERS[: len(choices)]
    folded = [_fold(choice) for choice in choices]
    found: set[str] = set()
    for gold in target:
        if _fold(gold) in folded:
            found.update(
                letters[i] for i, text in enumerate(folded) if text == _fold(gold) and i < len(letters)
            )
        elif len(gold.strip()) == 1 and gold.strip().upper() in letters:
            found.add(gold.strip().upper())
    return found


def read_letter(output: str, choices: Sequence[str]) -> tuple[str | None, str]:
    """The letter an answer picks and how it was read, or None and why not.

    Tried in order: the whole answer is one letter; a boxed or declared letter (`the answer is B`; the last
    one counts, for answers that reason first); a letter that opens the answer (`B) ...`); the text of exactly
    one option; exactly one option's letter mentioned.
    """
    letters = LETTERS[: len(choices)]
    text = _ends(output)
    if (alone := _ALONE.match(text)) and alone[1].upper() in letters:
        return alone[1].upper(), "the answer is this letter"
    boxed = [letter for letter in _BOXED.findall(text) if letter in letters]
    if boxed:
        return boxed[-1], "boxed"
    declared = _declared_letters(text, choices, letters)
    if declared:
        return (
            (declared[-1], "declared") if declared[-1] else (None, "ambiguous: several letters are declared")
        )
    if (leading := _LEADING.match(text)) and leading[1] in letters:
        others = {
            letter
            for letter in re.findall(r"^[ \t]*\(?([A-Z])[).:]", text, re.MULTILINE)
            if letter in letters
        }
        if others <= {leading[1]}:
            return leading[1], "opens the answer"
        return None, "ambiguous: several options are listed"
    return _by_text_or_mention(text, choices, letters)


def _declared_letters(text: str, choices: Sequence[str], letters: str) -> list[str]:
    """Letters that the text declares as its answer, in order; an empty text where two are declared in one breath."""
    found: list[str] = []
    for match in _DECLARED.finditer(text):
        letter = match[1].upper()
        if letter not in letters:
            continue
        also = _ALSO.match(text, match.end(1))
        if also and also[1] in letters and also[1] != letter:
            found.append("")
        elif letter in "AI" and _ARTICLE.match(text, match.end(1)):
            # "the answer is A dog": an article, unless an option begins with it, which then is the answer
            said = f"{_fold(text[match.start(1) : match.start(1) + 400])} "
            found.extend(
                m for option, m in zip(choices, letters, strict=False) if said.startswith(f"{_fold(option)} ")
            )
        else:
            found.append(letter)
    return found


def _by_text_or_mention(text: str, choices: Sequence[str], letters: str) -> tuple[str | None, str]:
    named = _named_options(_fold(text), choices, letters)
    if len(named) == 1:
        return named[0], "names the option's text"
    if len(named) > 1:
        return None, "ambiguous: the text of several options stands in the answer"
    mentioned = {letter for letter in _MENTIONED.findall(text) if letter in letters}
    # "A" and "I" are words of English: alone they decide nothing unless bracketed
    certain = {m for m in mentioned if m not in "AI" or re.search(rf"\({m}\)|(?<!\w){m}\)", text)}
    certain.update(letter for letter in _NAMED.findall(text) if letter in letters)
    if len(certain) == 1:
        return certain.pop(), "mentions one letter"
    if len(certain) > 1:
        return None, "ambiguous: several letters are mentioned"
    return None, "no option was picked"


def _named_options(folded: str, choices: Sequence[str], letters: str) -> list[str]:
    """Letters of the options whose text stands in the answer as whole words, longest options first."""
    padded = f" {folded} "
    found: list[str] = []
    options = sorted(
        ((_fold(c), letter) for c, letter in zip(choices, letters, strict=False)), key=lambda o: -len(o[0])
    )
    for option, letter in options:
        if option and f" {option} " in padded:
            found.append(letter)
            padded = padded.replace(f" {option} ", " | ")
    return found


def _fold(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _ends(output: str) -> str:
    """The part of an answer that is read: without leading thoughts, all of a short one, both ends of a long one."""
    text = leave_out_thinking(output).strip()
    half = READ_CHARACTERS // 2
    return text if len(text) <= READ_CHARACTERS else f"{text[:half]}\n{text[-half:]}"
