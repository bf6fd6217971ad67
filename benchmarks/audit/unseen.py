"""Formats that are in no canary: written after the detectors, so that their recall on them was not worked towards.

Who changes a detector because of one of these moves the format to the canaries, and writes another here.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable

from verilabel.audit.canaries.draws import ALPHANUMERIC, HEX, LOWER, UPPER, Draws
from verilabel.audit.canaries.formats import BARE, Carrier, Catalogue, labels
from verilabel.audit.canaries.personal import check_iban, luhn_digit

UNSEEN = Catalogue()
PREFIX = "unseen_"
_HEAD = {"alg": "HS512", "typ": "JWT"}


def _word(draws: Draws, length: int) -> str:
    return draws.text(length, LOWER)


def _iban(country: str, digits: int) -> Callable[[Draws], str]:
    def make(draws: Draws) -> str:
        text = check_iban(country, draws.digits(digits))
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))

    return make


def _card(prefix: str, length: int, sizes: tuple[int, ...]) -> Callable[[Draws], str]:
    def make(draws: Draws) -> str:
        body = prefix + draws.digits(length - 1 - len(prefix))
        rest = iter(body + luhn_digit(body))
        return " ".join("".join(next(rest) for _ in range(size)) for size in sizes)

    return make


def _fill() -> None:
    def add(kind: str, name: str, make: Callable[[Draws], str], *carriers: Carrier) -> None:
        UNSEEN.add(kind, f"{PREFIX}{name}", make, carriers or BARE)

    add("pii.email", "short", lambda d: f"{_word(d, 1)}@{_word(d, 5)}.io")
    add(
        "pii.email",
        "digits_in_domain",
        lambda d: f"{_word(d, 6)}.{d.digits(2)}@{_word(d, 4)}{d.digits(3)}.net",
    )
    add(
        "pii.email",
        "deep",
        lambda d: f"{_word(d, 5)}@{_word(d, 3)}.{_word(d, 4)}.{_word(d, 6)}.edu",
        ("<a>", "</a>"),
    )
    add(
        "pii.email",
        "json",
        lambda d: f"{_word(d, 4)}_{_word(d, 4)}@{_word(d, 7)}.org",
        ('{"to":"', '","n":1}'),
    )
    add("pii.email", "list", lambda d: f"{_word(d, 6)}@{_word(d, 6)}.com", ("cc: bob;", ";eve"), ("|", "|"))
    add("pii.phone", "it", lambda d: f"+39 06 6982 {d.digits(4)}")
    add("pii.phone", "es", lambda d: f"+34 91 {d.between(100, 899)} {d.digits(2)} {d.digits(2)}")
    add("pii.phone", "nl", lambda d: f"+31 20 {d.between(200, 799)} {d.digits(4)}")
    add("pii.phone", "br", lambda d: f"+55 11 9{d.between(6000, 9999)}-{d.digits(4)}")
    add("pii.phone", "cn", lambda d: f"+86 138 {d.digits(4)} {d.digits(4)}")
    add("pii.phone", "ru", lambda d: f"+7 (495) {d.between(200, 799)}-{d.digits(2)}-{d.digits(2)}")
    add("pii.phone", "gb_bracketed", lambda d: f"+44(0)20 7946 0{d.digits(3)}")
    add(
        "pii.phone",
        "us_mixed",
        lambda d: f"{d.pick(('212', '415', '617'))} 555-01{d.digits(2)}",
        *labels("Phone", "cell"),
    )
    add(
        "pii.phone",
        "us_link",
        lambda d: f"+1{d.pick(('212', '415', '617'))}55501{d.digits(2)}",
        ('<a href="tel:', '">'),
    )
    add("pii.card", "unionpay", _card("620000", 16, (4, 4, 4, 4)))
    add("pii.card", "json", _card("424242", 16, (16,)), ('"number": "', '"'), ("number=", "&cvc=1"))
    add("pii.card", "maestro", _card("675964", 16, (4, 4, 4, 4)), *labels("Card", "Maestro"))
    for country, digits in (("DK", 14), ("FI", 14), ("CZ", 20), ("HU", 24), ("LT", 16), ("SI", 15)):
        add("pii.iban", country.lower(), _iban(country, digits))
    add(
        "pii.ssn",
        "form",
        lambda d: f"{d.between(773, 899)}-{d.between(10, 99)}-{d.between(1000, 9999)}",
        ("SSN# ", ""),
        ("Soc. Sec. No. ", ""),
    )
    add(
        "pii.ipv4",
        "cidr",
        lambda d: f"{d.between(23, 98)}.{d.between(1, 254)}.{d.between(1, 254)}.{d.between(1, 254)}",
        ("", "/32 allowed"),
        ("allow ", ";"),
    )
    add(
        "pii.ipv6",
        "port",
        lambda d: f"2a02:{d.text(4, '123456789')}:{d.text(3, '123456789')}::{d.text(2, '123456789')}",
        ("tcp://[", "]:53"),
        ("from ", ","),
    )
    add(
        "pii.mac",
        "arp",
        lambda d: ":".join(f"{d.pick('26ae')}{d.pick('26ae')}" for _ in range(6)),
        ("at ", " on eth0"),
    )
    add(
        "secret.aws_key",
        "yaml",
        lambda d: "AK" + "IA" + d.text(16, UPPER + "234567"),
        ("accessKeyId: ", ""),
        ("- name: ", ""),
    )
    add(
        "secret.jwt",
        "long",
        _long_token,
        ("jwt=", ";"),
    )
    add(
        "secret.slack_token",
        "legacy",
        lambda d: f"xox{'s'}-{d.digits(10)}-{d.digits(10)}-{d.digits(10)}-{d.text(10, HEX)}",
        ("token=", ""),
    )
    add(
        "secret.url_password",
        "smtp",
        lambda d: d.text(12, ALPHANUMERIC),
        ("smtps://mailer:", "@smtp.example.net:465"),
    )
    add(
        "secret.url_password",
        "proxy",
        lambda d: d.text(10, ALPHANUMERIC),
        ("http_proxy=http://corp:", "@proxy.example.com:3128"),
    )
    add("secret.private_key", "crlf", _pem_with_crlf, ("", "\r\n"))


def _long_token(draws: Draws) -> str:
    claims = {"sub": _word(draws, 12), "groups": [_word(draws, 8) for _ in range(6)], "admin": False}
    parts = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (_HEAD, claims))
    return f"{'.'.join(parts)}.{draws.text(86, ALPHANUMERIC + '-_')}"


def _pem_with_crlf(draws: Draws) -> str:
    label = "RSA PRIVATE" + " KEY"
    lines = [
        "MIIEpAIBAAKCAQEA" + draws.text(48, ALPHANUMERIC),
        *(draws.text(64, ALPHANUMERIC + "+/") for _ in range(24)),
    ]
    return "\r\n".join(
        [f"-----BEGIN {label}-----", *lines, draws.text(22, ALPHANUMERIC) + "==", f"-----END {label}-----"]
    )


_fill()
