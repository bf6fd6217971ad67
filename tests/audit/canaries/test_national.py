"""National numbers keep to their authorities' rules: each rule is checked here by a definition of its own."""

from __future__ import annotations

import re

import pytest

from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.national import verhoeff_digit
from verilabel.audit.canaries.planting import list_formats

MULTIPLICATION = [
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
]  # fmt: skip
PERMUTATION = [
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
]  # fmt: skip


def verhoeff_holds(digits: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(MULTIPLICATION[check][int(PERMUTATION[place % 8][int(digit)])])
    return check == 0


def german_holds(digits: str) -> bool:
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    counts = sorted(digits[:10].count(digit) for digit in "0123456789")
    return counts == [0, 1, 1, 1, 1, 1, 1, 1, 1, 2] and (11 - product) % 10 == int(digits[10])


def weighed(digits: str, weights: list[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def italian_holds(text: str) -> bool:
    odd = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "BAFHJNPRTVCESULDGIMOQKWZYX", strict=True))
    letters = ["ABCDEFGHIJ"[int(letter)] if letter.isdigit() else letter for letter in text[:15]]
    total = sum(ord(letter if at % 2 else odd[letter]) - 65 for at, letter in enumerate(letters))
    return chr(total % 26 + 65) == text[15]


def luhn_holds(digits: str) -> bool:
    doubled = [int(d) * 2 if at % 2 else int(d) for at, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


RULES = {
    "pii.de_tax": german_holds,
    "pii.fr_nir": lambda d: (int(d[:13]) + int(d[13:])) % 97 == 0,
    "pii.pl_pesel": lambda d: weighed(d, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0,
    "pii.nl_bsn": lambda d: weighed(d, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 == 0,
    "pii.in_aadhaar": verhoeff_holds,
    "pii.ca_sin": luhn_holds,
    "pii.au_tfn": lambda d: weighed(d, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0,
    "pii.uk_nhs": lambda d: weighed(d, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0,
    "pii.ch_ahv": lambda d: d.startswith("756") and weighed(d, [1, 3] * 6 + [1]) % 10 == 0,
    "pii.it_codice_fiscale": italian_holds,
    "pii.br_cpf": lambda d: all(
        weighed(d[: n + 1], [*range(n + 1, 1, -1), 0]) * 10 % 11 % 10 == int(d[n]) for n in (9, 10)
    ),
    "pii.es_nif": lambda t: (
        "TRWAGMYFPDXBNJZSQVHLCKE"[int(t[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")) % 23]
        == t[-1]
    ),
}


@pytest.mark.parametrize("kind", sorted(RULES))
def test_numbers_keep_to_the_rule_of_their_kind(kind: str) -> None:
    draws = Draws(b"national", kind)
    formats = list_formats([kind])
    assert formats
    for form in formats:
        for _ in range(200):
            plain = re.sub(r"[^0-9A-Z]", "", form.make(draws))
            assert RULES[kind](plain), (form.name, plain)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("pii.de_tax", "86095742719"),
        ("pii.fr_nir", "255081416802538"),
        ("pii.pl_pesel", "44051401359"),
        ("pii.nl_bsn", "111222333"),
        ("pii.ca_sin", "046454286"),
        ("pii.au_tfn", "123456782"),
        ("pii.uk_nhs", "9434765919"),
        ("pii.ch_ahv", "7569217076985"),
        ("pii.it_codice_fiscale", "RSSMRA85T10A562S"),
        ("pii.br_cpf", "11144477735"),
        ("pii.es_nif", "12345678Z"),
    ],
)
def test_the_rules_hold_for_the_examples_that_authorities_publish(kind: str, known: str) -> None:
    assert RULES[kind](known)


def test_verhoeffs_digit_is_that_of_his_example() -> None:
    assert verhoeff_digit("236") == "3"
    assert verhoeff_holds("2363")
