"""Formats of personal data, after the public definitions of each number; the values are nobody's.

Sources: RFC 5321 (e-mail), E.164 and the numbering plans' ranges for fiction (NANP 555-01xx; Ofcom, ARCEP,
Bundesnetzagentur, ACMA and PTS lists), ISO/IEC 7812 and Luhn (cards, below the prefixes of issuers' published test
cards), ISO 13616 and ISO 7064 (IBAN), SSA Publication 05-10633 (areas not issued before 2011), HMRC NIM39110 (National
Insurance numbers), RFC 4291 and 5952 (IPv6), IEEE 802 (locally administered addresses), BIP 13, 173 and 350 (Bitcoin).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address

from verilabel.audit.canaries.draws import DIGITS, HEX, UPPER, Draws
from verilabel.audit.canaries.formats import BARE, Carrier, Catalogue, labels

PERSONAL = Catalogue()
_VOWELS, _CONSONANTS = "aeiou", "bdfgklmnprstvz"


def _syllables(draws: Draws, count: int) -> str:
    return "".join(draws.pick(_CONSONANTS) + draws.pick(_VOWELS) for _ in range(count)) + draws.pick("nrstl")


def _domain(draws: Draws, tld: str = "") -> str:
    return f"{_syllables(draws, 5)}.{tld or draws.pick(('com', 'org', 'net', 'io', 'de', 'fr', 'eu'))}"


# ---------------------------------------------------------------- e-mail


def _add_emails() -> None:
    carriers = (*BARE, *labels("email", "E-mail", "Contact", "write to"), ("{", "}"), ("[", "]"), ("'", "'"))

    def add(name: str, local: str, domain: str = "") -> None:
        def make(draws: Draws) -> str:
            one, two = _syllables(draws, 2), _syllables(draws, 3)
            made = local.replace("A", one).replace("B", two).replace("9", str(draws.below(1000)))
            return f"{made}@{domain}{_domain(draws)}"

        PERSONAL.add("pii.email", name, make, carriers)

    add("plain", "A")
    add("dotted", "A.B")
    add("underscore", "A_B")
    add("hyphen", "A-B")
    add("digits", "A9")
    add("plus_tag", "A.B+news")
    add("initial", "A.b")
    add("subdomain", "A", "mail.")
    add("two_subdomains", "A.B", "lists.eu.")
    add("hyphen_domain", "A", "the-")
    ends = {
        "country": ("co.uk", "com.br", "ac.jp", "gov.au"),
        "long_tld": ("online", "dev", "technology", "info"),
    }
    for name, choices in ends.items():
        PERSONAL.add("pii.email", name, _email_below(choices), carriers)
    PERSONAL.add("pii.email", "capitals", lambda d: f"{_syllables(d, 3)}@{_domain(d)}".upper(), carriers)
    PERSONAL.add("pii.email", "title_case", _email_in_title_case, carriers)
    PERSONAL.add(
        "pii.email",
        "angle_brackets",
        lambda d: f"{_syllables(d, 2)}.{_syllables(d, 2)}@{_domain(d)}",
        ((" <", ">"), ("Maintainer <", ">,"), ("<", ">")),
    )
    linked = (("mailto:", ""), ('<a href="mailto:', '">'), ("MAILTO:", "?subject=x"))
    PERSONAL.add("pii.email", "mailto", lambda d: f"{_syllables(d, 3)}@{_domain(d)}", linked)


def _email_below(ends: tuple[str, ...]) -> Callable[[Draws], str]:
    return lambda draws: f"{_syllables(draws, 3)}@{_domain(draws, draws.pick(ends))}"


def _email_in_title_case(draws: Draws) -> str:
    return f"{_syllables(draws, 2).title()}.{_syllables(draws, 3).title()}@{_domain(draws)}"


# ---------------------------------------------------------------- telephone numbers

_US_AREAS = (
    "201",
    "202",
    "205",
    "206",
    "212",
    "303",
    "312",
    "404",
    "415",
    "503",
    "512",
    "602",
    "617",
    "713",
    "917",
)
_PHONE = ("Phone", "Tel", "tel.", "call", "Fax", "phone number", "mobile", "Telephone")
"""Words that stand before numbers."""


def _grouped(text: str, sizes: tuple[int, ...], joint: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return joint.join(parts)


def _us(draws: Draws) -> tuple[str, str, str]:
    return draws.pick(_US_AREAS), "555", f"01{draws.digits(2)}"


def _gb(draws: Draws) -> tuple[str, str, str]:
    """Ofcom's ranges for drama in London and other cities."""
    if draws.happens(0.5):
        return "20", "7946", f"0{draws.digits(3)}"
    return draws.pick(("113", "117", "121", "131", "141", "151", "161")), "496", f"0{draws.digits(3)}"


def _gb_mobile(draws: Draws) -> str:
    # the plans' own range for fiction is in no library of valid numbers
    return f"7{draws.pick('4578')}{draws.digits(8)}"


def _add_phones() -> None:
    labelled = labels(*_PHONE)
    usual = (*BARE, *labelled)

    def add(name: str, make: Callable[[Draws], str], carriers: tuple[Carrier, ...] = usual) -> None:
        PERSONAL.add("pii.phone", name, make, carriers)

    add("intl_us_spaces", lambda d: "+1 {} {} {}".format(*_us(d)))
    add("intl_us_dashes", lambda d: "+1-{}-{}-{}".format(*_us(d)))
    add("intl_us_parentheses", lambda d: "+1 ({}) {}-{}".format(*_us(d)))
    add("intl_us_dots", lambda d: "+1.{}.{}.{}".format(*_us(d)))
    add("intl_us_compact", lambda d: "+1{}{}{}".format(*_us(d)))
    add("intl_gb_spaces", lambda d: "+44 {} {} {}".format(*_gb(d)))
    add("intl_gb_dashes", lambda d: "+44-{}-{}-{}".format(*_gb(d)))
    add("intl_gb_zero", lambda d: "+44 (0){} {} {}".format(*_gb(d)))
    add("intl_gb_compact", lambda d: "+44{}{}{}".format(*_gb(d)))
    add("intl_gb_mobile", lambda d: f"+44 {_grouped(_gb_mobile(d), (4, 6), ' ')}")
    add("intl_fr_pairs", lambda d: f"+33 1 99 00 {_grouped(d.digits(4), (2, 2), ' ')}")
    add("intl_fr_dots", lambda d: f"+33.1.99.00.{_grouped(d.digits(4), (2, 2), '.')}")
    add("intl_de_spaces", lambda d: f"+49 30 23125 {d.digits(3)}")
    add("intl_de_slash", lambda d: f"+49 89 / 99998{d.digits(3)}")
    add("intl_de_compact", lambda d: f"+4940669694{d.digits(2)}")
    add("intl_au_spaces", lambda d: f"+61 {d.pick('2378')} 5550 {d.digits(4)}")
    add("intl_se_groups", lambda d: f"+46 8 465 00 {d.digits(2)}")
    add("intl_in_groups", lambda d: f"+91 {d.pick('789')}{d.digits(4)} {d.digits(5)}")
    add("intl_jp_dashes", lambda d: f"+81-3-{d.pick('356')}{d.digits(3)}-{d.digits(4)}")
    add("intl_double_zero", lambda d: "0044 {} {} {}".format(*_gb(d)), labelled)
    add("us_parentheses", lambda d: "({}) {}-{}".format(*_us(d)))
    add("us_parentheses_close", lambda d: "({}){}-{}".format(*_us(d)))
    add("us_dashes", lambda d: "{}-{}-{}".format(*_us(d)))
    add("us_dots", lambda d: "{}.{}.{}".format(*_us(d)))
    add("us_one", lambda d: "1-{}-{}-{}".format(*_us(d)))
    add("us_slash", lambda d: "{}/{}-{}".format(*_us(d)), labelled)
    add("us_spaces", lambda d: "{} {} {}".format(*_us(d)), labelled)
    add("us_compact", lambda d: "{}{}{}".format(*_us(d)), labelled)
    extended = tuple((f"{word}: ", f" x{n}") for word in _PHONE[:3] for n in (12, 402))
    add("us_extension", lambda d: "{}-{}-{}".format(*_us(d)), extended)
    add("gb_spaces", lambda d: "0{} {} {}".format(*_gb(d)))
    add("gb_parentheses", lambda d: "(0{}) {} {}".format(*_gb(d)))
    add("gb_dashes", lambda d: "0{}-{}-{}".format(*_gb(d)), labelled)
    add("gb_compact", lambda d: "0{}{}{}".format(*_gb(d)), labelled)
    add("gb_mobile_spaces", lambda d: f"0{_grouped(_gb_mobile(d), (4, 3, 3), ' ')}")
    add("gb_mobile_compact", lambda d: f"0{_gb_mobile(d)}", labelled)


# ---------------------------------------------------------------- cards and accounts


def luhn_digit(digits: str) -> str:
    """The check digit that follows the digits (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def _card(draws: Draws, prefixes: tuple[str, ...], length: int) -> str:
    body = draws.pick(prefixes)
    body += draws.digits(length - 1 - len(body))
    return body + luhn_digit(body)


def _add_cards() -> None:
    carriers = (
        *BARE,
        *labels("card", "Card number", "CC", "paid with"),
        ("", " exp 09/31"),
        ("", " (on file)"),
    )
    visa, master = ("4000056655", "424242", "400000"), ("555555", "520082", "510510")
    fours = (4, 4, 4, 4)
    plans = (
        ("visa", visa, 16, fours),
        ("mastercard", master, 16, fours),
        ("mastercard_2", ("222300",), 16, fours),
        ("amex", ("378282", "371449"), 15, (4, 6, 5)),
        ("discover", ("601111", "601100"), 16, fours),
        ("diners", ("305693", "362272"), 14, (4, 6, 4)),
        ("jcb", ("356600",), 16, fours),
    )
    for name, prefixes, length, sizes in plans:
        for form, joint in (("plain", ""), ("spaces", " "), ("dashes", "-")):
            PERSONAL.add("pii.card", f"{name}_{form}", _cards(prefixes, length, sizes, joint), carriers)


def _cards(
    prefixes: tuple[str, ...], length: int, sizes: tuple[int, ...], joint: str
) -> Callable[[Draws], str]:
    return lambda draws: _grouped(_card(draws, prefixes, length), sizes, joint)


_IBANS = {
    "AT": "n16",
    "BE": "n12",
    "CH": "n5c12",
    "DE": "n18",
    "ES": "n20",
    "FR": "n10c11n2",
    "GB": "a4n14",
    "IE": "a4n14",
    "IT": "a1n10c12",
    "MT": "a4n5c18",
    "NL": "a4n10",
    "NO": "n11",
    "PL": "n24",
    "PT": "n21",
    "SE": "n20",
}
"""Structure of the account's part in the SWIFT registry: digits, letters, either, with their numbers."""


def check_iban(country: str, account: str) -> str:
    """The account's IBAN (ISO 13616: the number with letters as 10 to 35 leaves 1 modulo 97)."""
    number = int("".join(str(int(letter, 36)) for letter in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02d}{account}"


def _iban(draws: Draws) -> str:
    country = draws.pick(tuple(_IBANS))
    account, structure = "", _IBANS[country]
    alphabets = {"n": DIGITS, "a": UPPER, "c": UPPER + DIGITS}
    at = 0
    while at < len(structure):
        stop = at + 1
        while stop < len(structure) and structure[stop].isdigit():
            stop += 1
        account += draws.text(int(structure[at + 1 : stop]), alphabets[structure[at]])
        at = stop
    return check_iban(country, account)


def _in_fours(text: str, joint: str = " ") -> str:
    return joint.join(text[at : at + 4] for at in range(0, len(text), 4))


def _add_accounts() -> None:
    carriers = (*BARE, *labels("IBAN", "account", "Transfer to"), ("IBAN ", " at the bank"))
    PERSONAL.add("pii.iban", "compact", _iban, carriers)
    PERSONAL.add("pii.iban", "grouped", lambda d: _in_fours(_iban(d)), carriers)
    PERSONAL.add("pii.iban", "compact_named", _iban, labels("IBAN", "iban"))
    PERSONAL.add("pii.iban", "grouped_named", lambda d: _in_fours(_iban(d)), labels("IBAN", "Account"))


# ---------------------------------------------------------------- national numbers


def _ssn(draws: Draws) -> tuple[str, str, str]:
    return f"{draws.between(773, 899)}", f"{draws.between(1, 99):02d}", f"{draws.between(1, 9999):04d}"


def _nino(draws: Draws) -> str:
    while True:
        prefix = draws.pick("ABCEGHJKLMNOPRSTWXYZ") + draws.pick("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            return prefix + draws.digits(6) + draws.pick("ABCD")


def _add_national_numbers() -> None:
    named = labels("SSN", "ssn", "social security number", "Social Security No.")
    PERSONAL.add("pii.ssn", "dashes", lambda d: "-".join(_ssn(d)), BARE)
    PERSONAL.add("pii.ssn", "dashes_named", lambda d: "-".join(_ssn(d)), named)
    PERSONAL.add("pii.ssn", "spaces_named", lambda d: " ".join(_ssn(d)), named)
    PERSONAL.add("pii.ssn", "compact_named", lambda d: "".join(_ssn(d)), named)
    insurance = labels("NI number", "National Insurance number", "NINO")
    PERSONAL.add("pii.nino", "compact", _nino, BARE)
    PERSONAL.add("pii.nino", "spaces", lambda d: _grouped(_nino(d), (2, 2, 2, 2, 1), " "), BARE)
    PERSONAL.add("pii.nino", "compact_named", _nino, insurance)
    PERSONAL.add("pii.nino", "spaces_named", lambda d: _grouped(_nino(d), (2, 2, 2, 2, 1), " "), insurance)


# ---------------------------------------------------------------- addresses of machines


def _ipv4(draws: Draws) -> str:
    while True:
        address = IPv4Address(draws.between(1 << 24, (224 << 24) - 1))
        if address.is_global and int(address) & 0xFF not in (0, 255):
            return str(address)


def _ipv6(draws: Draws) -> IPv6Address:
    prefix = draws.pick((0x2600, 0x2607, 0x2800, 0x2A00, 0x2A02, 0x2403, 0x2C0F)) << 112
    middle = draws.between(0x100, 0xFFFF) << 96 | draws.between(1, 0xFFFF) << 80
    return IPv6Address(prefix | middle | draws.between(1, 0xFFFF) << 16 | draws.between(1, 0xFFFF))


def _full_ipv6(draws: Draws) -> str:
    return IPv6Address(int(_ipv6(draws)) | int.from_bytes(draws.octets(6), "big") << 32).exploded


def _mac(draws: Draws, joint: str, size: int) -> str:
    text = draws.pick(HEX) + draws.pick("26ae") + draws.text(10, HEX)
    return joint.join(text[at : at + size] for at in range(0, 12, size))


def _add_machines() -> None:
    near = (*BARE, *labels("client", "from", "address", "ip", "host"), ("from ", " port 22"), ("[", "]"))
    PERSONAL.add("pii.ipv4", "plain", _ipv4, near)
    PERSONAL.add("pii.ipv4", "port", _ipv4, (("", ":8080"), ("peer=", ":443"), ("http://", ":80/")))
    PERSONAL.add(
        "pii.ipv4",
        "log_line",
        _ipv4,
        (("", " - - [x] GET /"), ("sshd: from ", " refused"), ("client ", ", server")),
    )
    PERSONAL.add("pii.ipv4", "url", _ipv4, (("http://", "/index"), ("ftp://", "/")))
    apart = (": ", " ", "=", " is ")  # a colon alone would seem to belong to what has colons in it
    six = (
        *BARE,
        *labels("client", "from", "address", "ip", "host", joints=apart),
        ("from ", " port 22"),
        ("[", "]"),
    )
    PERSONAL.add("pii.ipv6", "compressed", lambda d: str(_ipv6(d)), six)
    PERSONAL.add("pii.ipv6", "full", _full_ipv6, six)
    PERSONAL.add("pii.ipv6", "capitals", lambda d: str(_ipv6(d)).upper(), six)
    PERSONAL.add("pii.ipv6", "url", lambda d: str(_ipv6(d)), (("http://[", "]:8080/"), ("[", "]:443")))
    hardware = (*BARE, *labels("MAC", "hwaddr", "ether", "BSSID", joints=apart))
    PERSONAL.add("pii.mac", "colons", lambda d: _mac(d, ":", 2), hardware)
    PERSONAL.add("pii.mac", "colons_capitals", lambda d: _mac(d, ":", 2).upper(), hardware)
    PERSONAL.add("pii.mac", "dashes_capitals", lambda d: _mac(d, "-", 2).upper(), hardware)
    PERSONAL.add("pii.mac", "dots", lambda d: _mac(d, ".", 4), hardware)


# ---------------------------------------------------------------- wallets

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode_base58check(version: int, payload: bytes) -> str:
    """Base58Check of a version byte and a payload (BIP 13)."""
    data = bytes([version]) + payload
    data += sha256(sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def encode_segwit(version: int, program: bytes) -> str:
    """A segregated witness address: bech32 for version 0 (BIP 173), bech32m for later ones (BIP 350)."""
    number = int.from_bytes(program, "big") << (-8 * len(program) % 5)
    count = (8 * len(program) + 4) // 5
    values = [version, *((number >> (5 * (count - 1 - at))) & 31 for at in range(count))]
    constant = 1 if version == 0 else 0x2BC830A3
    check = _polymod([3, 3, 0, 2, 3, *values, 0, 0, 0, 0, 0, 0]) ^ constant
    values += [(check >> (5 * (5 - at))) & 31 for at in range(6)]
    return "bc1" + "".join(_BECH32[value] for value in values)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for at in range(5):
            check ^= _GENERATOR[at] if (top >> at) & 1 else 0
    return check


def _add_wallets() -> None:
    kind, carriers = "pii.crypto_wallet", (*BARE, *labels("wallet", "BTC", "Donate", "bitcoin"))
    PERSONAL.add(kind, "p2pkh", lambda d: encode_base58check(0, d.octets(20)), carriers)
    PERSONAL.add(kind, "p2sh", lambda d: encode_base58check(5, d.octets(20)), carriers)
    PERSONAL.add(kind, "p2wpkh", lambda d: encode_segwit(0, d.octets(20)), carriers)
    PERSONAL.add(kind, "p2wsh", lambda d: encode_segwit(0, d.octets(32)), carriers)
    PERSONAL.add(kind, "p2tr", lambda d: encode_segwit(1, d.octets(32)), carriers)


for _add in (
    _add_emails,
    _add_phones,
    _add_cards,
    _add_accounts,
    _add_national_numbers,
    _add_machines,
    _add_wallets,
):
    _add()
