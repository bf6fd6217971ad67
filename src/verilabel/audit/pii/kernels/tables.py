"""What the compiled pass reads and writes: its tables, its rules, and the arrays that candidates go into."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Hashes, Positions

Masks = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
"""Candidates: document, rule, note, start, end."""

DIGIT = 1
UPPER = 2
LOWER = 4
ALNUM = 7
HEX = 8
LOCAL = 16
"""Bytes of the part of an address before its `@`."""
DOMAIN = 32
VALUE = 64
"""Bytes of keys and tokens: base64 in both alphabets, and what dotted tokens have."""
SIGN = 128
"""Bytes that may stand in the middle of something to find: `@ : = -`."""

EMAIL, IPV4, IPV6, MAC, CARD, SSN = range(6)
"""Rules whose candidates are findings: the pass has checked them whole."""
PHONE, IBAN, NINO, WALLET, NUMBER, FISCAL, PREFIX, PEM, JWT, URL, ASSIGNED, DOCUMENT = range(6, 18)
"""Rules whose candidates are verified outside, where there are few of them."""
RULES = 18
FIRST_VERIFIED = 6
MAX_CANDIDATES = 65_535
"""Of one rule in one document; those beyond are counted."""

SAYS_PHONE = 1
SAYS_CALL = 2
SAYS_CARD = 4
SAYS_SSN = 8
SAYS_BSN = 16
SAYS_INSURANCE = 32
SAYS_AADHAAR = 64
SAYS_PESEL = 128
SAYS_STEUER = 256
SAYS_NHS = 512
SAYS_TFN = 1024
SAYS_NIR = 2048
SAYS_NIF = 4096
SAYS_PASSPORT = 8192
SAYS_IP = 16384
SAYS_VERSION = 32768
SAYS_MAC = 65536
SAYS_PLACE = 1 << 17
"""Words such as `office`, which count behind a telephone number alone."""
SAYS_TAX = 1 << 18
SAYS_FILE = 1 << 19
SAYS_NUMBER = (
    SAYS_BSN
    | SAYS_INSURANCE
    | SAYS_AADHAAR
    | SAYS_PESEL
    | SAYS_STEUER
    | SAYS_NHS
    | SAYS_TFN
    | SAYS_NIR
    | SAYS_NIF
    | SAYS_TAX
)
"""Words that announce a national number, whose check digits alone would let too much through."""
NEAR = 24
"""A mask of words has those of the last four words again, so many bits higher."""
IS_INTERNATIONAL = 1 << 20
"""Of a telephone number's note: it is written with `+` or `00` and the code of its country."""
IS_TYPICAL = 1 << 21
"""Of a telephone number's note: it is written as people of some country write theirs."""
IS_GROUPED = 1 << 22
"""Of a telephone number's note: there are separators between its digits."""
IS_INSIDE = 1 << 23
"""Of a telephone number's note: other digits stand before it, so that only words make it one."""
NEEDS_WORDS = 1 << 24
"""Of another note: it stands only if words before it say one of the things whose bits it has."""
NEEDS_NEAR = 1 << 25
"""In addition: one of the last four words."""
DENIED_BY_VERSION = 1 << 26
"""In addition: it falls if one of the last four words speaks of versions, and none of machines."""


class Tables(NamedTuple):
    """Everything the passes look things up in."""

    flags: Bytes
    """Classes of a byte."""
    tlds: Hashes
    """Hashes (`hash_lower`) of the top-level domains, rising."""
    context: Hashes
    """Hashes (of `cut_words`) of words that say what a number is, rising."""
    says: Masks
    """What each of them says."""
    prefix_bits: Bytes
    """For hashes of three bytes (`hash_three`): 1 where a token may begin so."""
    prefixes: Bytes
    """The beginnings of tokens, behind one another."""
    prefix_offsets: Positions
    iban_lengths: Bytes
    """For two letters: characters of an IBAN of that country, or 0."""
    examples: Hashes
    """IPv4 addresses, cards and social security numbers that are known as examples (`numbers.is_example`), rising."""


def make_flags() -> Bytes:
    """The classes of every byte."""
    flags = np.zeros(256, np.uint8)
    for byte in range(128):
        char = chr(byte)
        flags[byte] = (
            (DIGIT if char.isdigit() else 0)
            | (UPPER if char.isupper() else 0)
            | (LOWER if char.islower() else 0)
            | (HEX if char in "0123456789abcdefABCDEF" else 0)
            | (LOCAL if char.isalnum() or char in "._%+-" else 0)
            | (DOMAIN if char.isalnum() or char in ".-" else 0)
            | (VALUE if char.isalnum() or char in "_+/.~=-" else 0)
            | (SIGN if char in "@:=-" else 0)
        )
    return flags
