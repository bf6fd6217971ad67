"""Previews of findings: their form, and too little of their content to guess or search for."""

from __future__ import annotations

import re

_MAX = 64
_SHOWN = {
    "secret.aws_key": 4,
    "secret.github_token": 4,
    "secret.google_key": 4,
    "secret.slack_token": 4,
    "secret.stripe_key": 3,
    "secret.vendor_token": 3,
    "secret.jwt": 3,
}
"""Characters at the beginning that their makers put before every key, and so say nothing of this one."""
_PUBLIC_BEGINNINGS = re.compile(
    r"[A-Z]{4}|gh[pousr]_|gith|xox[a-z]|xapp|hook|AIza|ya29|GOCS|[sr]k_|whs|eyJ|[A-Za-z]{2}[A-Za-z0-9_.-]"
)
_NUMBERS = frozenset({"pii.phone", "pii.card", "pii.ssn", "pii.ipv4", "pii.br_cpf", "pii.ch_ahv"})


def mask(kind: str, value: bytes) -> str:
    """A preview of a finding, at most 64 characters, the same for many values.

    Of e-mail addresses the first letter and the top-level domain stay, of IBANs the country, of telephone numbers the
    `+`, of numbers in groups the separators, of cards the last two digits, of keys what their makers put before all of
    them. Everything else is `***`.
    """
    text = value[:512].decode("utf-8", "replace")
    if kind == "pii.email":
        return _mask_email(text)
    if kind == "pii.iban":
        return f"{text[:2].upper()}** ****" if text[:2].isalpha() else "***"
    if kind in _NUMBERS:
        return _mask_digits(text, kept=2 if kind == "pii.card" else 0)
    if kind == "secret.private_key":
        return "-----BEGIN ... PRIVATE KEY----- ***"
    shown = text[: _SHOWN.get(kind, 0)]
    return f"{shown}***" if shown and _PUBLIC_BEGINNINGS.match(shown) else "***"


def _mask_email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    top = domain.rpartition(".")[2]
    if not at or not local or not top.isascii() or len(top) > 24:
        return "***"
    return f"{local[0]}***@***.{top}"


def _mask_digits(text: str, kept: int) -> str:
    digits = sum(char.isdigit() for char in text)
    seen, shown = 0, ""
    for char in text[:_MAX]:
        seen += char.isdigit()
        if char.isdigit():
            shown += char if kept and seen > digits - kept else "*"
        else:
            shown += char if char in "+-. ()/" else "*"
    return shown
