"""Words that say what a number beside them is, and numbers that everybody uses as examples."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np

from verilabel.audit.interface import Hashes
from verilabel.audit.kernels.tokens import cut_text
from verilabel.audit.pii.kernels import tables
from verilabel.audit.pii.kernels.reading import hash_lower
from verilabel.audit.pii.kernels.tables import Masks

CONTEXT: dict[int, str] = {
    tables.SAYS_PHONE: (
        "phone phones telephone telephones tel telefon telefono teléfono téléphone telephon telefone "
        "telefax mobile mob "
        "mobil móvil cell cellphone cellular fax faks fon handy whatsapp sms hotline pager phonenumber "
        "telno mobileno "
        "mobilenumber phoneno telnr natel gsm landline voicemail switchboard ph rufnummer tél 电 话 電 話 机"
    ),
    tables.SAYS_CALL: (
        "call calls called calling caller dial dialing text texting texted ring ringing reach contact "
        "answering answer "
        "message messages desk registered extension helpline"
    ),
    tables.SAYS_PLACE: "office home work",
    tables.SAYS_CARD: (
        "card cards credit debit visa mastercard maestro amex diners jcb discover cc creditcard "
        "cardnumber cardno ccnum "
        "cvv cvc carte kreditkarte tarjeta carta pan"
    ),
    tables.SAYS_SSN: "ssn ssns social socialsecurity socialsecuritynumber",
    tables.SAYS_BSN: "bsn burgerservicenummer sofinummer",
    tables.SAYS_INSURANCE: "insurance nas nino ni sin",
    tables.SAYS_AADHAAR: "aadhaar aadhar uidai adhaar",
    tables.SAYS_PESEL: "pesel",
    tables.SAYS_STEUER: "steuer idnr steuerid steueridentifikationsnummer identifikationsnummer steuernummer tin",
    tables.SAYS_TAX: "tax",
    tables.SAYS_FILE: "file",
    tables.SAYS_NHS: "nhs",
    tables.SAYS_TFN: "tfn",
    tables.SAYS_NIR: "nir insee sécurité securite sécu",
    tables.SAYS_NIF: "dni nif nie documento",
    tables.SAYS_PASSPORT: "passport passports passeport pasaporte reisepass reisepassnummer passaporto passnummer",
    tables.SAYS_IP: "ip ipv4 ips ipaddress ipaddr addr address host client server remote peer ping",
    tables.SAYS_VERSION: "version versions ver release released build rev revision section chapter oid table",
    tables.SAYS_MAC: "mac ether ethernet hwaddr bssid macaddress macaddr",
}
"""What words say, by the bits of `kernels.tables`; folded as `cut_words` folds them."""
EXAMPLE_ADDRESSES = (
    "1.1.1.1 1.0.0.1 1.2.3.4 1.2.3.5 2.2.2.2 3.3.3.3 4.3.2.1 4.4.4.4 5.5.5.5 5.6.7.8 6.6.6.6 7.7.7.7 "
    "8.8.4.4 8.8.8.8 "
    "9.9.9.9 11.22.33.44 12.34.56.78 99.99.99.99 111.111.111.111 111.222.333.444 123.123.123.123 "
    "123.45.67.89"
)
"""Public resolvers, and what people write for some address."""
EXAMPLE_CARDS = (
    "4111111111111111 4242424242424242 4012888888881881 4222222222222 4000056655665556 4000000000000002 "
    "5555555555554444 "
    "5105105105105100 5200828282828210 2223003122003222 378282246310005 371449635398431 378734493671000 "
    "6011111111111117 "
    "6011000990139424 30569309025904 38520000023237 3530111333300000 3566002020360505 4917610000000000 "
    "6304000000000000 "
    "5424000000000015 4007000000027 4012000098765439 4916338506082832 4539578763621486 4929000000006 "
    "5454545454545454"
)
"""Issuers' and processors' published test cards."""
EXAMPLE_SSNS = (
    "078051120 219099999 123456789 111223333 123121234 123456780 123121212 111111111 222222222 333333333 "
    "444444444 555555555 777777777 888888888"
)
"""The two that advertisements made famous (SSA, history of the number), and what people write for some number."""


@cache
def read_lines(name: str) -> tuple[str, ...]:
    """The words of a data file, comments left out."""
    text = (resources.files("verilabel.audit.pii") / "data" / name).read_text(encoding="utf-8")
    return tuple(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def make_context() -> tuple[Hashes, Masks]:
    """The words' hashes, rising, and what each says."""
    said: dict[int, int] = {}
    for mask, words in CONTEXT.items():
        # a word behind \n in a string of a program has an n more
        escaped = " ".join(f"n{word}" for word in words.split() if word.isascii() and len(word) > 3)
        for hashed in cut_text(f"{words} {escaped}").hashes.tolist():
            said[hashed] = said.get(hashed, 0) | mask
    keys = sorted(said)
    return np.array(keys, np.uint64), np.array([said[key] for key in keys], np.int64)


def make_tlds() -> Hashes:
    """Hashes of the top-level domains, rising."""
    encoded = (np.frombuffer(name.encode(), np.uint8) for name in read_lines("tlds.txt"))
    return np.unique(np.array([hash_lower(name.copy(), 0, len(name)) for name in encoded], np.uint64))


def make_examples() -> Hashes:
    """What `kernels.numbers.is_example` knows, rising."""
    numbers = [
        int.from_bytes(bytes(int(part) & 255 for part in address.split(".")), "big") + (tables.IPV4 << 56)
        for address in EXAMPLE_ADDRESSES.split()
    ]
    numbers += [int(number) + (tables.CARD << 56) for number in EXAMPLE_CARDS.split()]
    numbers += [int(number) + (tables.SSN << 56) for number in EXAMPLE_SSNS.split()]
    return np.unique(np.array(numbers, np.uint64))
