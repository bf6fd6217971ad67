"""The kinds of findings of this check, in their order."""

from __future__ import annotations

from typing import NamedTuple


class KindWords(NamedTuple):
    """A kind's id and what it is, in a few words."""

    id: str
    words: str


KINDS: tuple[KindWords, ...] = (
    KindWords("pii.email", "e-mail addresses, those of domains for documentation left out"),
    KindWords("pii.phone", "telephone numbers, by numbering plans, usual forms and words beside them"),
    KindWords("pii.card", "numbers of payment cards, by issuers' ranges and check digits"),
    KindWords("pii.iban", "international bank account numbers, by country and check digits"),
    KindWords("pii.ssn", "US social security numbers that can have been issued"),
    KindWords("pii.nino", "UK National Insurance numbers, by their form"),
    KindWords("pii.ipv4", "IPv4 addresses of machines on the Internet"),
    KindWords("pii.ipv6", "IPv6 addresses of machines on the Internet"),
    KindWords("pii.mac", "hardware addresses of single machines"),
    KindWords("pii.crypto_wallet", "addresses of Bitcoin, by their checksums"),
    KindWords("pii.de_tax", "German tax identification numbers, announced by words"),
    KindWords("pii.fr_nir", "French social security numbers, announced by words"),
    KindWords("pii.es_nif", "Spanish NIF and NIE, announced by words"),
    KindWords("pii.it_codice_fiscale", "Italian codici fiscali, by their check letter"),
    KindWords("pii.nl_bsn", "Dutch citizen service numbers, announced by words"),
    KindWords("pii.pl_pesel", "Polish PESEL, announced by words"),
    KindWords("pii.in_aadhaar", "Indian Aadhaar numbers, announced by words"),
    KindWords("pii.br_cpf", "Brazilian CPF in their written form"),
    KindWords("pii.ca_sin", "Canadian social insurance numbers, announced by words"),
    KindWords("pii.au_tfn", "Australian tax file numbers, announced by words"),
    KindWords("pii.uk_nhs", "NHS numbers, announced by words"),
    KindWords("pii.ch_ahv", "Swiss AHV numbers in their written form"),
    KindWords("pii.passport", "numbers of passports, announced by words"),
    KindWords("secret.aws_key", "AWS access keys, and secret keys given to such a name"),
    KindWords("secret.github_token", "GitHub tokens"),
    KindWords("secret.private_key", "private keys with their content: PEM, OpenSSH, PGP, PuTTY, age"),
    KindWords("secret.jwt", "signed JSON web tokens"),
    KindWords("secret.google_key", "Google API keys, OAuth tokens and client secrets"),
    KindWords("secret.slack_token", "Slack tokens and webhooks"),
    KindWords("secret.stripe_key", "Stripe secret and restricted keys and webhook secrets"),
    KindWords("secret.vendor_token", "keys of some 60 other services, by their makers' prefixes"),
    KindWords("secret.url_password", "passwords in URLs"),
    KindWords("secret.generic", "random values given to names that say key, token, secret or password"),
)
INDEX: dict[str, int] = {kind.id: place for place, kind in enumerate(KINDS)}
"""Where a kind stands."""
