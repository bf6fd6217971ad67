"""Toy ciphers: repeating-key XOR, Vigenere, and columnar transposition, each with a known piece of the plain text."""

from __future__ import annotations

import msgspec

from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.puzzles.puzzle import Puzzle
from verilabel.suites.worlds.texts import load_texts

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CRIB = "thepassphraseis"
CLOSING = "endofthemessage"
_PASSPHRASE_LETTERS = 10


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: tuple[str, ...]


def draw_words(count: int, chance: Chance) -> list[str]:
    """Common words, each drawn by itself."""
    words = load_texts("words", _Words).words
    return [chance.choose(words) for _ in range(count)]


_XOR_SOLUTION = """\
data = bytes.fromhex(open("message.hex").read())
crib, length = b"flag{", LENGTH
allowed = set(b"abcdefghijklmnopqrstuvwxyz0123456789 {}")
for start in range(len(data) - len(crib)):
    key = bytearray(length)
    for i, byte in enumerate(crib):
        key[(start + i) % length] = data[start + i] ^ byte
    text = bytes(byte ^ key[i % length] for i, byte in enumerate(data))
    if all(byte in allowed for byte in text) and b"flag{" in text:
        print(text[text.index(b"flag{"): text.index(b"}") + 1].decode())
        break
"""


def draw_xor(chance: Chance) -> Puzzle:
    """A text under XOR with a repeating key of three to five bytes."""
    flag = f"flag{{{chance.text(LETTERS + '0123456789', 16)}}}"
    words = draw_words(60, chance)
    words.insert(chance.between(5, 55), flag)
    plain, length = " ".join(words).encode(), chance.between(3, 5)
    key = [chance.between(128, 255) for _ in range(length)]
    data = bytes(byte ^ key[i % length] for i, byte in enumerate(plain))
    return Puzzle(
        kind="xor",
        task=(
            "The file message.hex holds, in hexadecimal, a text that was encrypted by XOR with a repeating key of "
            f"{length} bytes. The text consists of lower-case words, digits, spaces, and one flag of the form "
            "flag{...}. The answer is the flag."
        ),
        files={"message.hex": data.hex()},
        answer=flag,
        solution=_XOR_SOLUTION.replace("LENGTH", str(length)),
    )


_VIGENERE_SOLUTION = """\
text = open("message.txt").read().strip()
crib, closing, length = "CRIB", "CLOSING", LENGTH
for start in range(len(text) - len(crib)):
    key, fits = [None] * length, True
    for i, letter in enumerate(crib):
        shift = (ord(text[start + i]) - ord(letter)) % 26
        place = (start + i) % length
        fits = fits and key[place] in (None, shift)
        key[place] = shift
    if fits:
        plain = "".join(chr((ord(c) - 97 - key[i % length]) % 26 + 97) for i, c in enumerate(text))
        if plain.endswith(closing):
            at = plain.index(crib) + len(crib)
            print(plain[at: at + 10])
            break
"""


def _draw_letters(chance: Chance) -> tuple[str, str]:
    """A plain text of letters alone, and the passphrase in it."""
    passphrase = chance.text(LETTERS, _PASSPHRASE_LETTERS)
    before, after = draw_words(chance.between(15, 25), chance), draw_words(chance.between(15, 25), chance)
    return "".join((*before, CRIB, passphrase, *after, CLOSING)), passphrase


def draw_vigenere(chance: Chance) -> Puzzle:
    """A text under the Vigenere cipher with a random key of six to nine letters."""
    plain, passphrase = _draw_letters(chance)
    length = chance.between(6, 9)
    key = [chance.below(26) for _ in range(length)]
    text = "".join(LETTERS[(LETTERS.index(c) + key[i % length]) % 26] for i, c in enumerate(plain))
    solution = _VIGENERE_SOLUTION.replace("CRIB", CRIB).replace("CLOSING", CLOSING)
    return Puzzle(
        kind="vigenere",
        task=(
            "The file message.txt holds a text of lower-case letters without spaces that was encrypted by the "
            f"Vigenere cipher with a key of {length} letters. The plain text holds '{CRIB}', right after it a "
            f"passphrase of {_PASSPHRASE_LETTERS} letters, and ends with '{CLOSING}'. The answer is the passphrase."
        ),
        files={"message.txt": text},
        answer=passphrase,
        solution=solution.replace("LENGTH", str(length)),
    )


_TRANSPOSITION_SOLUTION = """\
from itertools import permutations
text = open("message.txt").read().strip()
width = WIDTH
height = len(text) // width
columns = [text[i * height: (i + 1) * height] for i in range(width)]
for order in permutations(range(width)):
    plain = "".join("".join(row) for row in zip(*(columns[i] for i in order)))
    if "CRIB" in plain and "CLOSING" in plain:
        at = plain.index("CRIB") + len("CRIB")
        print(plain[at: at + 10])
        break
"""


def draw_transposition(chance: Chance) -> Puzzle:
    """A text under columnar transposition with five to seven columns, drawn again while two orders would fit."""
    while True:
        plain, passphrase = _draw_letters(chance)
        width = chance.between(5, 7)
        plain += chance.text(LETTERS, -len(plain) % width)
        columns = [plain[i::width] for i in range(width)]
        if not _is_ambiguous(columns):
            break
    order = chance.shuffled(range(width))
    solution = _TRANSPOSITION_SOLUTION.replace("WIDTH", str(width)).replace("CRIB", CRIB)
    return Puzzle(
        kind="transposition",
        task=(
            "The file message.txt holds a text of lower-case letters without spaces that was encrypted by columnar "
            f"transposition: it was written in rows of {width} letters, and the columns were put one after another in "
            f"another order. The plain text holds '{CRIB}', right after it a passphrase of {_PASSPHRASE_LETTERS} "
            f"letters, and '{CLOSING}' near its end. The answer is the passphrase."
        ),
        files={"message.txt": "".join(columns[i] for i in order)},
        answer=passphrase,
        solution=solution.replace("CLOSING", CLOSING),
    )


def _is_ambiguous(columns: list[str]) -> bool:
    """True if two columns can change places and both known pieces still stand in the text."""
    for i in range(len(columns)):
        for j in range(i):
            other = list(columns)
            other[i], other[j] = other[j], other[i]
            text = "".join("".join(row) for row in zip(*other, strict=True))
            if CRIB in text and CLOSING in text:
                return True
    return False
