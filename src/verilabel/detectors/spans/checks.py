"""Checks that tell a real number from one that only looks like it: check digits, valid ranges, randomness."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from verilabel.detectors.spans.rule import Check

_IBAN = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN.split()}
"""Countries and the length of their IBANs (SWIFT IBAN registry)."""
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_CF_VALUES = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_CF_ODD = {chr((48 if place < 10 else 55) + place): v for place, v in enumerate(_CF_VALUES[:10] + _CF_VALUES)}


def _digits(text: str) -> list[int]:
    return [int(char) for char in text if char.isascii() and char.isdigit()]


def holds_luhn(text: str) -> bool:
    """The last digit checks the others (ISO/IEC 7812-1, Luhn). Not all digits alike."""
    digits = _digits(text)
    if len(set(digits)) < 2:
        return False
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def holds_iban(text: str) -> bool:
    """The country's length and ISO 7064 MOD 97-10 (ISO 13616)."""
    code = "".join(char for char in text if char.isalnum()).upper()
    if IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


def holds_ssn(text: str) -> bool:
    """A number the Social Security Administration can have issued: area, group and serial in range."""
    digits = "".join(map(str, _digits(text)))
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def holds_nhs(text: str) -> bool:
    """The tenth digit by weights 10 to 2, modulo 11 (NHS data dictionary)."""
    digits = _digits(text)
    if len(set(digits)) < 2:
        return False
    remainder = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return remainder % 11 == digits[9]


def holds_verhoeff(text: str) -> bool:
    """The last digit by J. Verhoeff's dihedral scheme (1969), as Aadhaar uses it."""
    check = 0
    for place, digit in enumerate(reversed(_digits(text))):
        check = int(_DIHEDRAL[check][int(_PERMUTED[place % 8][digit])])
    return check == 0


def holds_steuer_id(text: str) -> bool:
    """ISO 7064 MOD 11,10 over ten digits of which one comes twice or thrice (German Identifikationsnummer)."""
    digits = _digits(text)
    most = max(Counter(digits[:10]).values())
    if most not in (2, 3) or digits[0] == 0:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def holds_cpf(text: str) -> bool:
    """Both check digits of a Brazilian CPF, modulo 11."""
    digits = _digits(text)
    if len(set(digits)) < 2:
        return False
    for size in (9, 10):
        total = sum(d * w for d, w in zip(digits[:size], range(size + 1, 1, -1), strict=True))
        if total * 10 % 11 % 10 != digits[size]:
            return False
    return True


def holds_pesel(text: str) -> bool:
    """The eleventh digit of a Polish PESEL, and a month that exists."""
    digits = _digits(text)
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    month = digits[2] * 10 + digits[3]
    return 1 <= month % 20 <= 12 and sum(d * w for d, w in zip(digits, weights, strict=True)) % 10 == 0


def holds_bsn(text: str) -> bool:
    """The eleven-test of a Dutch citizen service number."""
    digits = _digits(text)
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(set(digits)) > 1 and sum(d * w for d, w in zip(digits, weights, strict=True)) % 11 == 0


def holds_nif(text: str) -> bool:
    """The letter of a Spanish NIF or NIE, by the number modulo 23."""
    code = "".join(char for char in text.upper() if char.isalnum())
    number = str("XYZ".find(code[0])) + code[1:-1] if code[0] in "XYZ" else code[:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == code[-1]


def holds_nir(text: str) -> bool:
    """The two-digit key of a French NIR: 97 minus the number modulo 97; Corsica's 2A and 2B as 19 and 18."""
    code = "".join(char for char in text.upper() if char.isalnum())
    number = code[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(code[13:])


def holds_codice_fiscale(text: str) -> bool:
    """The sixteenth character of an Italian codice fiscale (DM 23/12/1976)."""
    code = text.upper()
    odd = sum(_CF_ODD[char] for char in code[0:15:2])
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in code[1:15:2])
    return chr(65 + (odd + even) % 26) == code[15]


def holds_ean13(text: str) -> bool:
    """The last digit of an EAN-13 number, as the Swiss AHV number has it."""
    digits = _digits(text)
    return sum(d * (3 if place % 2 else 1) for place, d in enumerate(digits)) % 10 == 0


def holds_aba(text: str) -> bool:
    """Weights 3, 7, 1 modulo 10 of a US bank's routing number."""
    digits = _digits(text)
    return any(digits) and sum(d * (3, 7, 1)[place % 3] for place, d in enumerate(digits)) % 10 == 0


def holds_tfn(text: str) -> bool:
    """Weights modulo 11 of an Australian tax file number of nine digits."""
    digits = _digits(text)
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10)
    return any(digits) and sum(d * w for d, w in zip(digits, weights, strict=True)) % 11 == 0


def holds_base58(text: str) -> bool:
    """Base58Check: the first bytes of the double SHA-256 of 21 bytes (Bitcoin addresses)."""
    number = 0
    for char in text:
        number = number * 58 + _BASE58.index(char)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def holds_bech32(text: str) -> bool:
    """The checksum of BIP 173 or BIP 350 over a SegWit address."""
    prefix, _, data = text.lower().rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = 1
    for value in (*values, *(_BECH32.find(char) for char in data)):
        if value < 0:
            return False
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_BECH32_GENERATOR):
            check ^= factor if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)


def is_ipv4(text: str) -> bool:
    """An address of four numbers in range (the pattern's part) that stands for a machine."""
    return text not in ("0.0.0.0", "255.255.255.255", "127.0.0.1")  # noqa: S104 (compared, not bound)


def is_ipv6(text: str) -> bool:
    """An address; of the short forms those with two groups and a digit: `::` and `std::ab` are none."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = sum(1 for group in text.split(":") if group)
    return "::" not in text or (groups >= 2 and has_digit(text))


def has_digit(text: str) -> bool:
    """At least one digit."""
    return any(char.isascii() and char.isdigit() for char in text)


def is_random(text: str) -> bool:
    """Shannon entropy above 3 bits a character, with letters and digits: no word, no placeholder."""
    counts = Counter(text).values()
    size = len(text)
    entropy = -sum(n / size * math.log2(n / size) for n in counts)
    return entropy > 3 and has_digit(text) and any(char.isalpha() for char in text)


def is_chosen(text: str) -> bool:
    """A password somebody chose: not a variable, a mask or an example."""
    lowered = text.lower()
    if len(set(text)) < 4 or text[0] in "${<%*[" or lowered.startswith(_EXAMPLES):
        return False
    return not text.isalpha() or lowered not in _EXAMPLES


_EXAMPLES = (
    "example",
    "changeme",
    "password",
    "your",
    "placeholder",
    "redacted",
    "none",
    "null",
    "true",
    "false",
)

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "aba": holds_aba,
        "base58": holds_base58,
        "bech32": holds_bech32,
        "bsn": holds_bsn,
        "chosen": is_chosen,
        "codice_fiscale": holds_codice_fiscale,
        "cpf": holds_cpf,
        "digit": has_digit,
        "ean13": holds_ean13,
        "iban": holds_iban,
        "ipv4": is_ipv4,
        "ipv6": is_ipv6,
        "luhn": holds_luhn,
        "nhs": holds_nhs,
        "nif": holds_nif,
        "nir": holds_nir,
        "pesel": holds_pesel,
        "random": is_random,
        "ssn": holds_ssn,
        "steuer_id": holds_steuer_id,
        "tfn": holds_tfn,
        "verhoeff": holds_verhoeff,
    }
)
"""The checks that packs name."""
