"""Candidates of the rarer rules, looked at one by one: checksums, plans, prefixes, surroundings."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from verilabel.audit.interface import Bytes
from verilabel.audit.pii import entropy
from verilabel.audit.pii.kernels import tables
from verilabel.audit.pii.kinds import INDEX
from verilabel.audit.pii.phones import NumberingPlans
from verilabel.audit.pii.prefixes import WINDOW, PrefixRules, list_prefixes
from verilabel.audit.pii.wording import read_lines
from verilabel.detectors.spans import checks

_MAX_KEY_BLOCK = 32_768
_MIN_KEY_CHARS = 48
_DIGITS = re.compile(rb"[0-9]+")
_PEM_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(rb"(?:[A-Za-z0-9+/=\s\\:,.();@\"'|#*>-]|&#10;)*?(?=-----|\Z)")
_HOST = re.compile(rb"[A-Za-z0-9.-]*")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}")
_FISCAL = re.compile(r"[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPR-T][0-9L-NP-V]{2}[A-Z][0-9L-NP-V]{3}[A-Z]")
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]")
_OFFICES = frozenset(("AT", "CA", "CH", "CN", "EP", "ES", "JP", "KR", "NL", "RU", "SE"))
"""Beginnings of patents' numbers, which have six digits and a letter too."""
_WORDS_WITHIN = re.compile(r"[A-Za-z]{5,}")
_MARKS = tuple(
    b"example,xxxx,your,placeholder,redacted,dummy,changeme,sample,insert,1234567,0000000,abcdef,deadbeef,****,....".split(
        b","
    )
)
_SECRET_NAME = re.compile(
    rb"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access[_-]?)?key)?|auth[_-]?token|access[_-]?token|"
    rb"client[_-]?secret|private[_-]?token|private[_-]?key|encryption[_-]?key|signing[_-]?key|token|"
    rb"password|passwd|pwd|passphrase|passwo?rd)\Z"
)
_PUBLIC_NAME = re.compile(
    rb"(?:public|csrf|page|next|prev|sort|cache|partition|primary|foreign|pagination|continuation)[_-]?[a-z_-]{0,12}\Z"
)
_PASSWORD_NAMES = (b"password", b"passwd", b"pwd", b"passphrase", b"passwrd")


class Found(NamedTuple):
    """What a candidate turned out to be; positions in the batch's data."""

    kind: int
    start: int
    end: int
    level: int = 0
    """What is of a higher level stays where findings overlap, whatever its length."""
    claim: tuple[int, int] | None = None
    """What it takes from others, where that is more than itself: scheme, user and host belong to a URL's password."""


class Candidate(NamedTuple):
    """One candidate, and the bounds of its document."""

    note: int
    start: int
    end: int
    low: int
    high: int


Look = Callable[[Candidate], Found | None]


class Verifier:
    """Looks at candidates in a batch; what it finds depends on the bytes of one document alone."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._plans = NumberingPlans(regions)
        self._rules = PrefixRules()
        self._prefixes = list_prefixes()
        self._examples = frozenset(read_lines("examples.txt"))
        self._looks: dict[int, Look] = {
            tables.PHONE: self._look_at_phone,
            tables.IBAN: self._look_at_iban,
            tables.NINO: self._look_at_nino,
            tables.WALLET: self._look_at_wallet,
            tables.NUMBER: self._look_at_number,
            tables.FISCAL: self._look_at_fiscal,
            tables.PREFIX: self._look_at_prefix,
            tables.PEM: self._look_at_pem,
            tables.JWT: self._look_at_jwt,
            tables.URL: self._look_at_url,
            tables.ASSIGNED: self._look_at_assigned,
            tables.DOCUMENT: self._look_at_document,
        }
        self._view: Bytes | None = None

    def begin(self, data: Bytes) -> None:
        """Take the data of a batch."""
        self._view = data

    def look(self, rule: int, candidate: Candidate) -> Found | None:
        """What a candidate of a rule is, or None."""
        return self._looks[rule](candidate)

    def _bytes(self, start: int, end: int) -> bytes:
        assert self._view is not None
        return self._view[start:end].tobytes()

    def _text(self, start: int, end: int) -> str:
        return self._bytes(start, end).decode("ascii", "replace")

    def _look_at_phone(self, candidate: Candidate) -> Found | None:
        text = self._bytes(candidate.start, candidate.end)
        start = candidate.start
        if text[:1] == b"(" and text.count(b"(") > text.count(b")"):
            text, start = text[1:], start + 1
        groups = [
            (m.start(), m.end())
            for m in _DIGITS.finditer(text)
            if text[m.start() - 1 : m.end() + 1] != b"(0)"
        ]
        note = candidate.note
        size = self._international_size(text, groups, note) if note & tables.IS_INTERNATIONAL else 0
        for count in range(len(groups) if not size else 0, 0, -1):
            if self._is_national(text, groups[:count], note, count == len(groups)):
                size = groups[count - 1][1]
                break
        if not size and groups and self._is_announced(text, groups, note):
            size = groups[-1][1]
        # digits that are something else as well are no telephone number, unless a `+` says so
        level = 0 if text[:1] == b"+" else -2 if note & tables.IS_INSIDE else -1
        return Found(INDEX["pii.phone"], start, start + size, level) if size else None

    def _international_size(self, text: bytes, groups: list[tuple[int, int]], note: int) -> int:
        zeros = 0 if b"+" in text[:2] else 2
        for count in range(len(groups), 0, -1):
            digits = _join(text, groups[:count])[zeros:]
            if len(digits) <= 15 and len(digits) >= 7 and self._plans.holds_international(digits):
                return groups[count - 1][1]
        digits = _join(text, groups)[zeros:]
        is_announced = bool(note & tables.SAYS_PHONE)
        if len(groups) >= 3 and self._plans.holds_international(digits, loosely=True):
            return groups[-1][1]
        return groups[-1][1] if is_announced and not zeros and 8 <= len(digits) <= 15 else 0

    def _is_national(self, text: bytes, groups: list[tuple[int, int]], note: int, is_whole: bool) -> bool:
        """True for a number of the regions, the longest first: what stands behind one may be another number."""
        if note & tables.IS_TYPICAL and not note & (tables.SAYS_CALL | tables.SAYS_PHONE) and not is_whole:
            return False
        digits = _join(text, groups)
        return len(digits) >= 7 and _is_varied(digits) and self._plans.holds_national(digits)

    def _is_announced(self, text: bytes, groups: list[tuple[int, int]], note: int) -> bool:
        """True for digits of no plan that words make a telephone number."""
        digits = _join(text, groups)
        if not _is_varied(digits) or (note & tables.IS_INTERNATIONAL and b"+" in text[:2]):
            return False
        if [end - start for start, end in groups] == [3, 2, 4]:
            return False  # the form of a social security number, of one that cannot be
        if note & tables.SAYS_PHONE:
            return len(digits) <= 13
        # one dot alone is that of a decimal number
        return (
            bool(note & tables.SAYS_CALL) and len(groups) > 1 and (text.count(b".") != 1 or len(groups) > 2)
        )

    def _look_at_iban(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        if not checks.holds_iban(text) or self._is_example(text.replace(" ", "").upper().encode()):
            return None
        return Found(INDEX["pii.iban"], candidate.start, candidate.end)

    def _look_at_nino(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        digits = "".join(char for char in text if char.isdigit())
        if not _NINO.match(text) or len(set(digits)) < 2 or digits == "123456":
            return None
        if candidate.note == 0 and text[:2] in _OFFICES:
            return None
        return Found(INDEX["pii.nino"], candidate.start, candidate.end)

    def _look_at_wallet(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        if text[0] in "13":
            if any(char in "0OIl" for char in text) or not checks.holds_base58(text):
                return None
        elif not (text.islower() or text.isupper()) or not checks.holds_bech32(text):
            return None
        if self._is_example(text.lower().encode() if text[0] in "bB" else text.encode()):
            return None
        return Found(INDEX["pii.crypto_wallet"], candidate.start, candidate.end)

    def _look_at_number(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        kind, size = find_national_kind(text, candidate.note)
        return Found(INDEX[kind], candidate.start, candidate.start + size) if kind else None

    def _look_at_fiscal(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        if not _FISCAL.fullmatch(text) or not checks.holds_codice_fiscale(text):
            return None
        return Found(INDEX["pii.it_codice_fiscale"], candidate.start, candidate.end)

    def _look_at_document(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        digits = sum(char.isdigit() for char in text)
        if digits < 5 or len(set(text)) < 4 or text.upper() != text:
            return None
        if len(text) == 8 and text.isdigit() and text[:2] in ("19", "20"):
            return None
        return Found(INDEX["pii.passport"], candidate.start, candidate.end)

    def _look_at_prefix(self, candidate: Candidate) -> Found | None:
        prefix = self._prefixes[candidate.note]
        window = self._bytes(candidate.start, min(candidate.high, candidate.start + WINDOW))
        size = self._rules.find_end(candidate.note, window)
        if not size or self._is_placeholder(window[:size], len(prefix.text)):
            return None
        return Found(prefix.kind, candidate.start, candidate.start + size, 2)

    def _look_at_pem(self, candidate: Candidate) -> Found | None:
        stop = min(candidate.high, candidate.start + _MAX_KEY_BLOCK)
        # most places where a key is only spoken of are told apart by the first few bytes
        begin = _PEM_BEGIN.match(self._bytes(candidate.start, min(stop, candidate.start + 96)))
        if not begin:
            return None
        block = self._bytes(candidate.start, stop)
        body = _PEM_BODY.match(block, begin.end())
        end = body.end() if body else begin.end()
        inside = block[begin.end() : end].replace(b"\\n", b"\n").replace(b"\\r", b"\r")
        chars = b"".join(_BASE64.findall(inside))
        if len(chars) < _MIN_KEY_CHARS or len(set(chars)) < 12:
            return None
        close = _PEM_END.match(block, end)
        return Found(
            INDEX["secret.private_key"], candidate.start, candidate.start + (close.end() if close else end), 3
        )

    def _look_at_jwt(self, candidate: Candidate) -> Found | None:
        text = self._bytes(candidate.start, candidate.end)
        head = text[: candidate.note]
        try:
            header = urlsafe_b64decode(head + b"=" * (-len(head) % 4))
        except ValueError:
            return None
        if header[:1] != b"{" or b'"alg"' not in header or sha256(text).hexdigest() in self._examples:
            return None
        return Found(INDEX["secret.jwt"], candidate.start, candidate.end, 2)

    def _look_at_url(self, candidate: Candidate) -> Found | None:
        text = self._text(candidate.start, candidate.end)
        user = self._text(candidate.note, candidate.start - 1)
        lowered = text.lower()
        if not checks.is_chosen(text) or any(char in text for char in "{}<>$*|`()[]") or "%s" in text:
            return None
        if ":" in text or "passw" in lowered or lowered.startswith("anon"):
            return None
        is_mark = any(mark.decode() in lowered for mark in _MARKS) or lowered in (
            "pass",
            "secret",
            "pwd",
            "token",
            "pw",
            "passwd",
        )
        if is_mark or lowered == user.lower() or lowered.startswith("pass") or set(lowered) <= set("x-_."):
            return None
        host = _HOST.match(self._bytes(candidate.end + 1, min(candidate.high, candidate.end + 256)))
        claim = (candidate.note - 3, candidate.end + 1 + (host.end() if host else 0))
        return Found(INDEX["secret.url_password"], candidate.start, candidate.end, 1, claim)

    def _look_at_assigned(self, candidate: Candidate) -> Found | None:
        name = self._bytes(max(candidate.low, candidate.note - 40), candidate.note).lower()
        match = _SECRET_NAME.search(name)
        if not match or _PUBLIC_NAME.search(name, 0, match.start()):
            return None
        value = self._bytes(candidate.start, candidate.end)
        text = value.decode("ascii", "replace")
        if self._is_placeholder(value, 0) or _has_words(text) or len(set(text)) < 8 or text[0] in "$%&@":
            return None
        is_password = match.group(0) in _PASSWORD_NAMES
        if len(text) < 16 and not is_password:
            return None
        is_quoted = self._bytes(candidate.start - 1, candidate.start) in (b"'", b'"', b"`")
        if not is_quoted and "." in text:
            return None
        if not entropy.is_above(value, 3 if is_password else 3.3):
            return None
        is_aws = b"aws" in name and len(text) == 40
        return Found(INDEX["secret.aws_key" if is_aws else "secret.generic"], candidate.start, candidate.end)

    def _is_placeholder(self, value: bytes, skipped: int) -> bool:
        lowered = value[skipped:].lower()
        if any(mark in lowered for mark in _MARKS) or len(set(lowered)) < 6:
            return True
        return self._is_example(value)

    def _is_example(self, value: bytes) -> bool:
        return sha256(value).hexdigest() in self._examples


def _is_varied(digits: str) -> bool:
    """True for what is neither the number of a book nor a row of like or rising digits."""
    return (
        len(set(digits)) >= 3
        and digits[:10] not in ("0123456789", "1234567890")
        and not (len(digits) == 13 and digits[:3] in ("978", "979"))
    )


def _join(text: bytes, groups: Sequence[tuple[int, int]]) -> str:
    return b"".join(text[start:end] for start, end in groups).decode("ascii")


def _has_words(text: str) -> bool:
    """True if a value is made of words and numbers, as names and paths are."""
    if text.count("/") > 2 and "." in text:
        return True
    parts = re.split(r"[^A-Za-z0-9]", text)
    worded = sum(len(part) for part in parts if part.isalpha() and len(part) >= 3)
    camel = sum(
        len(word)
        for word in _WORDS_WITHIN.findall(text)
        if word.islower() or word[1:].islower() or word.isupper()
    )
    return worded * 3 > len(text) or camel * 2 > len(text)


class _National(NamedTuple):
    says: int
    kind: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]


def _national(says: int, kind: str, pattern: str, check: Callable[[str], bool]) -> _National:
    return _National(says, kind, re.compile(pattern), check)


_NATIONAL = (
    _national(
        tables.SAYS_BSN,
        "pii.nl_bsn",
        r"\d{9}|\d{4}[ .]\d{2}[ .]\d{3}|\d{3}[ .]\d{3}[ .]\d{3}",
        checks.holds_bsn,
    ),
    _national(tables.SAYS_INSURANCE, "pii.ca_sin", r"[1-79]\d{2}([ -]?)\d{3}\1\d{3}", checks.holds_luhn),
    _national(tables.SAYS_AADHAAR, "pii.in_aadhaar", r"[2-9]\d{3}([ -]?)\d{4}\1\d{4}", checks.holds_verhoeff),
    _national(tables.SAYS_PESEL, "pii.pl_pesel", r"\d{11}", checks.holds_pesel),
    _national(tables.SAYS_STEUER, "pii.de_tax", r"\d{2}( ?)\d{3}\1\d{3}\1\d{3}", checks.holds_steuer_id),
    _national(tables.SAYS_NHS, "pii.uk_nhs", r"\d{3}([ -]?)\d{3}\1\d{4}", checks.holds_nhs),
    _national(tables.SAYS_TFN, "pii.au_tfn", r"\d{3}( ?)\d{3}\1\d{3}", checks.holds_tfn),
    _national(
        tables.SAYS_NIR,
        "pii.fr_nir",
        r"[12]( ?)\d{2}\1(?:0[1-9]|1[0-2]|[2-9]\d)\1\d{2}\1\d{3}\1\d{3} ?\d{2}",
        checks.holds_nir,
    ),
    _national(tables.SAYS_NIF, "pii.es_nif", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]", checks.holds_nif),
)
_CPF = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")
_AHV = re.compile(r"756\.\d{4}\.\d{4}\.\d{2}")


def find_national_kind(text: str, says: int) -> tuple[str, int]:
    """The kind of the national number that a text begins with, and its length; ("", 0) for none.

    `says` is what words before it say, 0 for forms that need none. Groups that follow may be another number's.
    """
    if says == 0:
        if _CPF.fullmatch(text) and checks.holds_cpf(text):
            return "pii.br_cpf", len(text)
        is_swiss = _AHV.fullmatch(text) and checks.holds_ean13(text)
        return ("pii.ch_ahv", len(text)) if is_swiss else ("", 0)
    if says & tables.SAYS_TAX and says & tables.SAYS_FILE:
        says |= tables.SAYS_TFN
    size = len(text)
    while size >= 8:
        for rule in _NATIONAL:
            if says & rule.says and rule.pattern.fullmatch(text, 0, size) and rule.check(text[:size]):
                return rule.kind, size
        size = max(text.rfind(separator, 0, size) for separator in " -.")
    return "", 0
