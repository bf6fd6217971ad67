"""Formats of national numbers with check digits, after the authorities' own rules; random, so that they are nobody's.

Sources: BZSt (tax identification number, ISO 7064 MOD 11,10), INSEE (NIR), Real Decreto 1553/2005 (DNI, NIE), D.M. 23
December 1976 (codice fiscale), Besluit BSN (the eleven test), GUS (PESEL), UIDAI (Aadhaar, Verhoeff 1969), Receita
Federal (CPF), ESDC (SIN, Luhn), ATO (TFN), NHS Data Dictionary (NHS number; 999 is its range for tests), ZAS (AHV).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verilabel.audit.canaries.draws import DIGITS, UPPER, Draws
from verilabel.audit.canaries.formats import Catalogue, labels
from verilabel.audit.canaries.personal import luhn_digit

NATIONAL = Catalogue()
_CONSONANTS = "BCDFGLMNPRSTVZ"
_MONTHS = "ABCDEHLMPRST"
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_ROTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def weigh(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits times their weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def _joined(text: str, shape: str) -> str:
    """The text's characters in the places of `#`."""
    rest = iter(text)
    return "".join(next(rest) if letter == "#" else letter for letter in shape)


def _drawn_until(made: Callable[[Draws], str | None]) -> Callable[[Draws], str]:
    """Draw again where a number of this kind does not exist."""

    def draw(draws: Draws) -> str:
        while True:
            found = made(draws)
            if found is not None:
                return found

    return draw


# ---------------------------------------------------------------- numbers


def _german(draws: Draws) -> str:
    """Eleven digits: among the first ten one stands twice, and one is missing."""
    kept = draws.shuffle(DIGITS)[:9]
    digits = draws.shuffle([*kept, draws.pick(kept)])
    if digits[0] == "0":
        digits.reverse()
    if digits[0] == "0":
        return _german(draws)
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return "".join(digits) + str((11 - product) % 10)


def _french(draws: Draws) -> str:
    place = f"{draws.between(1, 19):02d}{draws.between(1, 89):03d}{draws.between(1, 899):03d}"
    body = f"{draws.pick('12')}{draws.between(30, 99)}{draws.between(1, 12):02d}{place}"
    return f"{body}{97 - int(body) % 97:02d}"


def _spanish(draws: Draws) -> str:
    number = draws.digits(8)
    return number + _DNI_LETTERS[int(number) % 23]


def _spanish_foreigner(draws: Draws) -> str:
    first, number = draws.below(3), draws.digits(7)
    return f"{'XYZ'[first]}{number}{_DNI_LETTERS[int(f'{first}{number}') % 23]}"


def _italian(draws: Draws) -> str:
    body = draws.text(6, _CONSONANTS) + draws.digits(2) + draws.pick(_MONTHS)
    body += f"{draws.between(1, 28) + draws.pick((0, 40)):02d}{draws.pick('ABCDEFGHILM')}{draws.between(1, 899):03d}"
    total = 0
    for at, letter in enumerate(body):
        value = int(letter) if letter.isdigit() else ord(letter) - ord("A")
        total += value if at % 2 else _ODD[value]
    return body + UPPER[total % 26]


def _dutch(draws: Draws) -> str | None:
    body = str(draws.between(10_000_000, 99_999_999))
    check = weigh(body, range(9, 1, -1)) % 11
    return None if check == 10 else f"{body}{check}"


def _polish(draws: Draws) -> str:
    body = f"{draws.between(40, 99)}{draws.between(1, 12):02d}{draws.between(1, 28):02d}{draws.digits(4)}"
    return f"{body}{-weigh(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}"


def _indian(draws: Draws) -> str:
    body = str(draws.between(2, 9)) + draws.digits(10)
    return body + verhoeff_digit(body)


def verhoeff_digit(digits: str) -> str:
    """The check digit that follows the digits (Verhoeff, 1969): multiplication in the dihedral group of order ten."""
    check = 0
    for place, digit in enumerate(reversed(digits), 1):
        value = int(digit)
        for _ in range(place % 8):
            value = _ROTATION[value]
        check = _multiply(check, value)
    return str(next(digit for digit in range(10) if _multiply(check, digit) == 0))


def _multiply(one: int, other: int) -> int:
    turn, mirrored = one % 5, one >= 5
    step = -(other % 5) if mirrored else other % 5
    return (turn + step) % 5 + 5 * (mirrored != (other >= 5))


def _brazilian(draws: Draws) -> str:
    body = draws.digits(9)
    for length in (9, 10):
        rest = weigh(body, range(length + 1, 1, -1)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return body


def _canadian(draws: Draws) -> str:
    body = str(draws.between(1, 7)) + draws.digits(7)
    return body + luhn_digit(body)


def _australian(draws: Draws) -> str | None:
    body = str(draws.between(10_000_000, 99_999_999))
    # the ninth digit weighs 10, which is -1 modulo 11
    check = weigh(body, (1, 4, 3, 7, 5, 8, 6, 9)) % 11
    return None if check == 10 else f"{body}{check}"


def _british(draws: Draws) -> str | None:
    body = f"999{draws.digits(6)}"
    check = -weigh(body, range(10, 1, -1)) % 11
    return None if check == 10 else f"{body}{check}"


def _swiss(draws: Draws) -> str:
    body = f"756{draws.digits(9)}"
    return f"{body}{-weigh(body, (1, 3) * 6) % 10}"


# ---------------------------------------------------------------- how they are written


def _fill() -> None:
    def add(kind: str, make: Callable[[Draws], str], shapes: dict[str, str], *words: str) -> None:
        for name, shape in shapes.items():
            NATIONAL.add(f"pii.{kind}", name, _shaped(make, shape), labels(*words))

    eleven, nine = "###########", "#########"
    add(
        "de_tax",
        _german,
        {"compact": eleven, "grouped": "## ### ### ###"},
        "Steuer-ID",
        "Steueridentifikationsnummer",
    )
    french = {"compact": "#" * 15, "grouped": "# ## ## ## ### ### ##"}
    add("fr_nir", _french, french, "Numéro de sécurité sociale", "NIR")
    spanish = {"compact": nine, "hyphen": "########-#"}
    add("es_nif", _spanish, spanish, "DNI", "NIF")
    add("es_nif", _spanish_foreigner, {"foreigner": nine, "foreigner_hyphens": "#-#######-#"}, "NIE")
    add("it_codice_fiscale", _italian, {"compact": "#" * 16}, "Codice fiscale", "C.F.")
    add(
        "nl_bsn", _drawn_until(_dutch), {"compact": nine, "dots": "####.##.###"}, "BSN", "burgerservicenummer"
    )
    add("pl_pesel", _polish, {"compact": eleven}, "PESEL", "nr PESEL")
    add(
        "in_aadhaar", _indian, {"compact": "#" * 12, "grouped": "#### #### ####"}, "Aadhaar", "Aadhaar number"
    )
    add("br_cpf", _brazilian, {"written": "###.###.###-##"}, "CPF", "CPF nº")
    canadian = {"spaces": "### ### ###", "hyphens": "###-###-###", "compact": nine}
    add("ca_sin", _canadian, canadian, "SIN", "Social Insurance Number")
    add(
        "au_tfn",
        _drawn_until(_australian),
        {"spaces": "### ### ###", "compact": nine},
        "TFN",
        "Tax File Number",
    )
    add(
        "uk_nhs",
        _drawn_until(_british),
        {"spaces": "### ### ####", "compact": "#" * 10},
        "NHS number",
        "NHS No",
    )
    add("ch_ahv", _swiss, {"written": "###.####.####.##"}, "AHV", "AHV-Nr.", "AVS")
    passports = ("Passport number", "Passport No", "passport")
    add("passport", lambda d: d.digits(9), {"nine_digits": nine}, *passports)
    add("passport", lambda d: d.pick(UPPER) + d.digits(8), {"letter_and_eight": nine}, *passports)


def _shaped(make: Callable[[Draws], str], shape: str) -> Callable[[Draws], str]:
    return lambda draws: _joined(make(draws), shape)


_fill()
