"""What is planted looks real, is made anew for each seed, and is found again character by character."""

from __future__ import annotations

import base64
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from verilabel.gateway_bench.planted import longest_run, plant

ALPHABET = "abc1@"


def value_of(name: str, seed: int = 1) -> str:
    return next(each.value for each in plant(seed) if each.name == name)


def test_each_seed_has_secrets_of_its_own_and_the_same_seed_has_the_same() -> None:
    assert plant(7) == plant(7)
    assert not {each.value for each in plant(7)} & {each.value for each in plant(8)}


def test_secrets_have_the_lengths_of_the_table_that_is_measured_again() -> None:
    lengths = {each.name: len(each.value) for each in plant(3)}
    assert {
        "e-mail": 36,
        "SSN": 11,
        "card": 19,
        "GitHub key": 40,
        "JWT": 308,
        "PEM key": 1674,
        "2nd choice": 36,
        "tool args": 32,
        "reasoning": 30,
    } == lengths


@given(st.integers(0, 10**6))
def test_check_digits_of_cards_and_keys_hold(seed: int) -> None:
    digits = [int(digit) for digit in value_of("card", seed) if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) if i % 2 == 0 else digit for i, digit in enumerate(digits)]
    assert 0 == sum(doubled) % 10
    key = value_of("GitHub key", seed).removeprefix("ghp_")
    symbols = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    check = 0
    for char in key[30:]:
        check = 62 * check + symbols.index(char)
    assert zlib.crc32(key[:30].encode()) == check


def test_a_token_and_a_key_block_can_be_decoded() -> None:
    head, claims, signature = value_of("JWT").split(".")
    assert {"alg": "HS256", "typ": "JWT"} == json.loads(base64.urlsafe_b64decode(head + "=="))
    assert "sub" in json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert 32 == len(base64.urlsafe_b64decode(signature + "=="))
    lines = value_of("PEM key").splitlines()
    assert base64.b64decode("".join(lines[1:-1])).startswith(b"\x30\x82")


@given(st.text(ALPHABET, max_size=30), st.text(ALPHABET, max_size=60))
def test_the_longest_run_is_that_of_trying_every_stretch(secret: str, text: str) -> None:
    tried = max(
        (j - i for i in range(len(secret)) for j in range(i + 1, len(secret) + 1) if secret[i:j] in text),
        default=0,
    )
    assert tried == longest_run(secret, text)
