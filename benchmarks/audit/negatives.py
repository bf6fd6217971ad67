"""What looks like a finding and is none: numbers, names and notices that detectors must leave alone."""

from __future__ import annotations

from verilabel.audit.canaries.draws import ALPHANUMERIC, DIGITS, HEX, Draws
from verilabel.audit.canaries.formats import BARE, Carrier, Catalogue
from verilabel.audit.canaries.personal import check_iban, encode_base58check, encode_segwit, luhn_digit

NEGATIVES = Catalogue()


def _changed(text: str, draws: Draws, first: int, alphabet: str) -> str:
    """The text with one character of it exchanged, so that its check digits no longer hold."""
    at = draws.between(first, len(text) - 1)
    other = draws.pick([letter for letter in alphabet if letter != text[at]])
    return text[:at] + other + text[at + 1 :]


def _wrong_card(draws: Draws) -> str:
    body = "4" + draws.digits(14)
    return body + str((int(luhn_digit(body)) + draws.between(1, 9)) % 10)


def _uuid(draws: Draws) -> str:
    return "-".join(draws.text(length, HEX) for length in (8, 4, 4, 4, 12))


def _time(draws: Draws) -> str:
    return f"{draws.below(24):02d}:{draws.below(60):02d}:{draws.below(60):02d}"


def _date(draws: Draws) -> str:
    return f"20{draws.between(10, 26)}-{draws.between(1, 12):02d}-{draws.between(1, 28):02d}"


def _fill() -> None:
    def add(name: str, make: object, *carriers: Carrier) -> None:
        NEGATIVES.add(f"negative.{name}", name, make, carriers or BARE)  # type: ignore[arg-type]

    add(
        "version",
        lambda d: ".".join(str(d.below(most)) for most in (12, 30, 40, 99)),
        ("version ", " was released"),
        ("upgrade to v", " now"),
        ("libfoo-", ".tar.gz"),
        ("release ", ""),
    )
    add(
        "private_address",
        lambda d: d.pick(("192.168.", "10.0.", "172.16.")) + f"{d.below(256)}.{d.between(1, 254)}",
        ("bind to ", ""),
        ("gateway ", " is internal"),
    )
    add(
        "loopback",
        lambda d: d.pick(("127.0.0.1", "0.0.0.0", "255.255.255.0", "::1")),
        ("listen on ", ""),
        ("mask ", ""),
    )
    add(
        "decorator",
        lambda d: d.pick(("@property", "@app.route", "@pytest.fixture", "@dataclass", "@media", "@param")),
    )
    add(
        "at_host",
        lambda d: d.pick(("root@localhost", "user@host", "pkg@1.2.3", "HEAD@{1}", "a@b", "@scope/name@2.0")),
        ("run ", ""),
        ("see ", ""),
    )
    add("order_number", _wrong_card, ("Order number ", " shipped"), ("id ", " in the ledger"))
    add(
        "isbn",
        lambda d: f"978-{d.below(10)}-{d.digits(3)}-{d.digits(5)}-{d.below(10)}",
        ("ISBN ", " (paperback)"),
        ("isbn: ", ""),
    )
    add("timestamp", lambda d: f"{_date(d)}T{_time(d)}Z", ("logged at ", " by cron"), ("date=", ""))
    add("clock", lambda d: f"{_time(d)}.{d.digits(3)}", ("took ", ""), ("at ", " UTC"))
    add("uuid", _uuid, ("object ", " not found"), ("uuid=", ""))
    add("digest", lambda d: d.text(64, HEX), ("sha256:", ""), ("digest ", " ok"))
    add("revision", lambda d: d.text(40, HEX), ("commit ", ""), ("rev ", " reverted"))
    add(
        "part_number",
        lambda d: f"{d.pick(('000', '666', f'9{d.digits(2)}'))}-{d.between(1, 99):02d}-{d.digits(4)}",
        ("part no. ", " in stock"),
        ("ref ", " closed"),
    )
    add(
        "wrong_iban",
        lambda d: _changed(check_iban("DE", d.digits(18)), d, 4, DIGITS),
        ("code ", " rejected"),
        ("serial ", ""),
    )
    add(
        "wrong_base58",
        lambda d: _changed(encode_base58check(0, d.octets(20)), d, 6, "123456789"),
        ("key ", ""),
    )
    add("wrong_bech32", lambda d: _changed(encode_segwit(0, d.octets(20)), d, 8, "qpzry9x8"), ("hash ", ""))
    add(
        "large_number",
        lambda d: str(d.between(10**9, 10**12)),
        ("total ", " bytes read"),
        ("offset ", " in the file"),
    )
    add(
        "range",
        lambda d: f"{d.between(100, 999)}-{d.between(100, 999)}",
        ("pages ", " of the volume"),
        ("lines ", " changed"),
    )
    add(
        "coordinates",
        lambda d: f"{d.below(90)}.{d.digits(6)}, -{d.below(180)}.{d.digits(6)}",
        ("at ", ""),
        ("(", ")"),
    )
    add("doi", lambda d: f"10.{d.digits(4)}/{d.digits(7)}.{d.digits(7)}", ("doi:", ""), ("see ", ""))
    add("image", lambda d: "data:image/png;base64," + d.text(300, ALPHANUMERIC + "+/"), ('src="', '"'))
    add(
        "certificate",
        lambda d: f"-----BEGIN CERTIFICATE-----\n{d.text(64, ALPHANUMERIC)}\n-----END CERTIFICATE-----",
    )
    add(
        "placeholder",
        lambda d: d.pick(
            ("ghp_" + "x" * 36, "sk_test_your_key_here", "xoxb-your-token", "AK" + "IA" + "X" * 16)
        ),
        ("token: ", ""),
        ("export KEY=", ""),
    )
    add(
        "url_of_user",
        lambda d: f"https://{d.text(6, 'abcdef')}@git.example.org/team/repo.git",
        ("clone ", ""),
    )
    add(
        "scope",
        lambda d: d.pick(("std::vector::iterator", "fe::ed", "Foo::Bar::baz", "a::b", "crate::dead::beef")),
        ("call ", "()"),
    )
    add(
        "licence_word",
        lambda d: d.pick(
            (
                "She renewed her driver's license in May.",
                "A dog licence costs ten euros.",
                "Poetic license is allowed here.",
                "The copyright office is closed on Sunday.",
                "The MIT license is short.",
                "Ask for a licence to fish.",
            )
        ),
    )
    add(
        "subscribe_word",
        lambda d: d.pick(
            (
                "Use subscribe() to listen for events.",
                "The robots in the meta game walk.",
                "Train the model on the text.",
            )
        ),
    )


_fill()
