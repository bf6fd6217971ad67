"""Planting values into copies of documents: where it says they are, there they are; equal everywhere; nobody's."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.items import KIND, Item
from verilabel.audit.canaries.plan import MAX_HOST_BYTES
from verilabel.audit.canaries.planting import (
    Planted,
    hosts_needed,
    list_formats,
    plant,
    plantable_kinds,
)

WORDS = [
    "the",
    "quick",
    "report",
    "says",
    "that",
    "every",
    "lamp",
    "in",
    "the",
    "long",
    "corridor",
    "was",
    "lit",
]
TEXTS = [" ".join((WORDS * 9)[at : at + 120]).encode() for at in range(30)]
WRITTEN = [kind for kind in plantable_kinds() if kind != KIND]
ITEMS = [
    Item(" ".join(f"word{a}x{b}" for b in range(40)), " ".join(f"answer{a}x{b}" for b in range(20)))
    for a in range(4)
] + [Item("How many lamps does the corridor have?")]


def values(planted: Planted, kind: str, form: str | None = None) -> list[str]:
    found = [one for one in planted.truth if one.kind == kind and form in (None, one.format)]
    return [planted.texts[one.document][one.start : one.end].decode() for one in found]


@pytest.fixture(scope="module")
def planted() -> Planted:
    return plant(TEXTS, b"seed", WRITTEN, 12)


def test_every_format_of_every_kind_is_planted_as_often_as_asked(planted: Planted) -> None:
    counts = Counter((one.kind, one.format) for one in planted.truth)
    assert {(form.kind, form.name): 12 for form in list_formats(WRITTEN)} == dict(counts)


def test_the_kinds_of_the_brief_list_have_formats() -> None:
    wanted = {
        "pii.email", "pii.phone", "pii.card", "pii.iban", "pii.ssn", "pii.nino", "pii.ipv4", "pii.ipv6", "pii.mac",
        "pii.crypto_wallet", "secret.aws_key", "secret.github_token", "secret.private_key", "secret.jwt",
        "secret.google_key", "secret.slack_token", "secret.stripe_key", "secret.url_password", KIND,
    }  # fmt: skip
    assert wanted <= set(plantable_kinds())


def test_the_same_seed_plants_the_same_bytes_and_another_seed_others(planted: Planted) -> None:
    assert plant(TEXTS, b"seed", WRITTEN, 12) == planted
    assert plant(TEXTS, b"other", WRITTEN, 12).texts != planted.texts


def test_every_word_of_the_document_is_still_there_in_its_order(planted: Planted) -> None:
    for number, text in enumerate(planted.texts):
        words = iter(text.split())
        assert all(word in words for word in TEXTS[number % len(TEXTS)].split())


def test_positions_stand_in_order_do_not_overlap_and_lie_in_their_documents(planted: Planted) -> None:
    for one, other in zip(planted.truth, planted.truth[1:], strict=False):
        assert (one.document, one.start) < (other.document, other.start)
        assert one.document != other.document or one.end <= other.start
    assert all(0 <= one.start < one.end <= len(planted.texts[one.document]) for one in planted.truth)


def test_values_stand_at_starts_at_ends_behind_colons_and_between_words(planted: Planted) -> None:
    texts = planted.texts
    assert any(one.start == 0 for one in planted.truth)
    assert any(one.end == len(texts[one.document]) for one in planted.truth)
    assert any(texts[one.document][: one.start].endswith(b":") for one in planted.truth)
    assert any(texts[one.document][: one.start].endswith(b": ") for one in planted.truth)
    assert (
        sum(0 < one.start and one.end < len(texts[one.document]) for one in planted.truth)
        > len(planted.truth) / 2
    )


# ---------------------------------------------------------------- values are what their definitions say


def luhn_holds(digits: str) -> bool:
    doubled = [int(d) * 2 if at % 2 else int(d) for at, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def test_cards_pass_luhn_and_begin_as_published_test_cards_do(planted: Planted) -> None:
    cards = [re.sub("[ -]", "", value) for value in values(planted, "pii.card")]
    assert all(luhn_holds(card) and 14 <= len(card) <= 16 for card in cards)
    assert {card[:4] for card in cards} <= {
        "4000", "4242", "5555", "5200", "5105", "2223", "3782", "3714", "6011", "3056", "3622", "3566",
    }  # fmt: skip


def test_ibans_leave_one_modulo_ninety_seven(planted: Planted) -> None:
    for value in values(planted, "pii.iban"):
        iban = value.replace(" ", "")
        assert int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1


def test_telephone_numbers_are_valid_in_their_plans(planted: Planted) -> None:
    import phonenumbers

    for form in list_formats(["pii.phone"]):
        region = "GB" if form.name.startswith("gb") or form.name == "intl_double_zero" else "US"
        for value in values(planted, "pii.phone", form.name):
            assert phonenumbers.is_valid_number(phonenumbers.parse(value, region)), form.name


def test_american_numbers_are_of_the_range_for_fiction(planted: Planted) -> None:
    for form in list_formats(["pii.phone"]):
        if "us" in form.name.split("_"):
            assert all(
                "55501" in re.sub(r"\D", "", value) for value in values(planted, "pii.phone", form.name)
            )


def test_addresses_of_machines_are_public_and_hardware_addresses_no_makers(planted: Planted) -> None:
    for kind in ("pii.ipv4", "pii.ipv6"):
        assert all(ip_address(value).is_global for value in values(planted, kind))
    firsts = [int(re.sub(r"[.:-]", "", value)[:2], 16) for value in values(planted, "pii.mac")]
    assert all(first & 0b11 == 0b10 for first in firsts)


def test_wallets_match_the_test_vectors_of_their_standards() -> None:
    from verilabel.audit.canaries.personal import encode_base58check, encode_segwit

    program = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
    assert "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" == encode_segwit(0, program)
    taproot = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    assert "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0" == encode_segwit(1, taproot)
    assert "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2" == encode_base58check(
        0, bytes.fromhex("77bff20c60e522dfaa3350c39b030a5d004e839a")
    )


def test_insurance_and_security_numbers_keep_to_their_rules(planted: Planted) -> None:
    for value in values(planted, "pii.nino"):
        assert re.fullmatch(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", value.replace(" ", ""))
    for value in values(planted, "pii.ssn"):
        digits = re.sub(r"\D", "", value)
        assert len(digits) == 9
        assert 773 <= int(digits[:3]) <= 899


def test_the_source_holds_no_secret_in_one_piece() -> None:
    from pathlib import Path

    import verilabel.audit.canaries.credentials as module

    text = Path(module.__file__).read_text("utf-8")
    assert not re.search(
        r"AKIA|ASIA|gh[pousr]_\w{6}|github_pat_|AIza|xapp-|PRIVATE KEY|hooks\.slack\.com", text
    )


# ---------------------------------------------------------------- items of benchmarks


def test_items_are_planted_in_every_form_that_their_length_allows() -> None:
    made = plant(TEXTS, b"s", [KIND], 5, items=ITEMS)
    counts = Counter(one.format for one in made.truth)
    assert {"verbatim": 5, "rewrapped": 5, "question": 5, "half": 5, "ninth_word": 5, "short": 5} == dict(
        counts
    )
    assert set(values(made, KIND, "question")) <= {item.question for item in ITEMS}
    assert all(value.isupper() for value in values(made, KIND, "rewrapped"))
    for value in values(made, KIND, "ninth_word"):
        kept = [word for word in value.split() if re.fullmatch(r"(word|answer)\d+x\d+", word)]
        assert len(kept) == 60  # a strange word gets company, and none is lost


def test_without_items_or_without_their_kind_none_are_planted() -> None:
    assert not plant(TEXTS, b"s", [KIND], 5).truth
    assert not plant(TEXTS, b"s", ["pii.ipv4"], 0, items=ITEMS).truth


# ---------------------------------------------------------------- hosts


def test_unknown_kinds_are_not_planted_and_known_ones_beside_them_are() -> None:
    made = plant(TEXTS, b"s", ["pii.ipv4", "toxic.unheard_of"], 4)
    assert {"pii.ipv4"} == {one.kind for one in made.truth}


def test_no_documents_or_blank_ones_give_no_canaries() -> None:
    assert Planted([], []) == plant([], b"s", ["pii.email"], 5)
    assert Planted([], []) == plant([b" \n", b""], b"s", ["pii.email"], 5)


def test_one_tiny_document_carries_all_values_apart_from_one_another() -> None:
    made = plant([b"x"], b"s", ["pii.email", "pii.card"], 10)
    assert len(made.truth) == 10 * len(list_formats(["pii.email", "pii.card"]))
    for one in made.truth:
        text = made.texts[one.document]
        assert not text[one.start - 1 : one.start].isalnum()
        assert not text[one.end : one.end + 1].isalnum()


def test_long_documents_are_copied_in_part() -> None:
    made = plant([b"word and " * 100_000], b"s", ["pii.email"], 20)
    assert max(map(len, made.texts)) < MAX_HOST_BYTES + 4_096


def test_the_hosts_needed_are_those_that_are_used() -> None:
    made = plant(TEXTS, b"s", ["pii.email"], 30)
    assert hosts_needed(len(list_formats(["pii.email"])), 30) == len(made.texts)


def test_batches_hold_every_copy_once_and_in_order(planted: Planted) -> None:
    batches = list(planted.batches(20_000))
    assert len(batches) > 1
    assert list(range(len(planted.texts))) == np.concatenate([batch.rows for batch in batches]).tolist()
    assert planted.texts == [batch.text(at) for batch in batches for at in range(len(batch))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=4), st.binary(max_size=8))
def test_copies_of_any_text_are_text_and_hold_the_values_where_it_says(texts: list[str], seed: bytes) -> None:
    encoded = [text.encode("utf-8", "ignore") for text in texts]
    made = plant(encoded, seed, ["pii.email", "secret.jwt", "copyright.notice"], 2)
    for text in made.texts:
        text.decode("utf-8")
    for one in made.truth:
        value = made.texts[one.document][one.start : one.end].decode()
        if one.kind == "pii.email":
            assert re.fullmatch(r"[\w.+-]+@[\w.-]+\.\w+", value)
        elif one.kind == "secret.jwt":
            assert value.count(".") == 2


# ---------------------------------------------------------------- draws


@settings(max_examples=50)
@given(st.binary(max_size=20), st.integers(1, 50))
def test_draws_stay_in_their_range_and_repeat(seed: bytes, size: int) -> None:
    one, other = Draws(seed, "a"), Draws(seed, "a")
    numbers = [one.below(size) for _ in range(20)]
    assert all(0 <= number < size for number in numbers)
    assert numbers == [other.below(size) for _ in range(20)]
    assert sorted(one.shuffle(range(size))) == list(range(size))


EARLIER = (910, "baaeae", "26640", "f2eed076")


def test_draws_are_those_of_every_earlier_version() -> None:
    draws = Draws(b"seed", "values")
    drawn = draws.below(1000), draws.text(6, "abcdef"), draws.digits(5), draws.octets(4).hex()
    assert EARLIER == drawn
