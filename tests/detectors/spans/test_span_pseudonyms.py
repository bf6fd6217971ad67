"""Pseudonyms: the same value the same name, back again in streams, nothing of another conversation."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.pseudonyms import PLACEHOLDER, Vault
from verilabel.detectors.spans.ruleset import RuleSet

RULES = RuleSet([PLACEHOLDER, *open_pack("pii", only=("email", "card", "us_ssn"))])


def replaced(vault: Vault, text: str, reversible: int | None = None) -> str:
    return RULES.redact(text, substitute=vault.substitute(RULES.rules, reversible=reversible)).text


def test_the_same_value_has_the_same_pseudonym_and_comes_back() -> None:
    vault = Vault()
    sent = replaced(vault, "a@x.org, b@x.org and a@x.org; 123-45-6789")
    assert "<EMAIL_1>, <EMAIL_2> and <EMAIL_1>; <SSN_1>" == sent
    assert "Dear a@x.org (not b@x.org)" == vault.restore("Dear <EMAIL_1> (not <EMAIL_2>)")


def test_text_of_the_client_that_looks_like_a_pseudonym_is_not_taken_for_one() -> None:
    vault = Vault()
    sent = replaced(vault, "what is <EMAIL_1>? mail a@x.org")
    assert "what is <TEXT_1>? mail <EMAIL_1>" == sent
    assert "<EMAIL_1> is a@x.org" == vault.restore("<TEXT_1> is <EMAIL_1>")


def test_unknown_pseudonyms_and_those_of_another_conversation_stay() -> None:
    one, other = Vault(), Vault()
    replaced(one, "a@x.org")
    assert "<EMAIL_1> <CARD_9>" == other.restore("<EMAIL_1> <CARD_9>")
    one.forget()
    assert "<EMAIL_1>" == one.restore("<EMAIL_1>")


def test_values_beyond_the_bounds_are_replaced_for_good() -> None:
    vault = Vault(max_values=1)
    assert "<EMAIL_1> [EMAIL] <EMAIL_1>" == replaced(vault, "a@x.org b@x.org a@x.org")
    assert "[EMAIL]" == replaced(Vault(max_chars=3), "a@x.org")


def test_rules_that_are_not_reversible_are_replaced_for_good() -> None:
    assert "<EMAIL_1> [SSN]" == replaced(Vault(), "a@x.org 123-45-6789", reversible=0b0010)


def test_values_in_json_source_come_back_escaped() -> None:
    vault = Vault()
    placeholder = vault.substitute([PLACEHOLDER])
    sent = RuleSet([PLACEHOLDER]).redact('{"to": "<A_1>"}', substitute=placeholder, json_source=True).text
    assert '{"to": "<TEXT_1>"}' == sent
    assert {"to": "<A_1>"} == json.loads(vault.restore(sent, json_source=True))


def test_a_vault_shows_nothing_of_its_values() -> None:
    vault = Vault()
    replaced(vault, "a@x.org")
    assert "Vault(1 values)" == repr(vault)


_pieces = st.lists(
    st.sampled_from(
        ["a@x.org", "<EMAIL_1>", "<EMAIL_", "1>", "<", "<TEXT_2>", " ", "b@y.de", "4111 1111 1111 1111", "é"]
    ),
    max_size=12,
)


@given(_pieces, st.integers(1, 6))
def test_what_was_replaced_comes_back_whole_and_in_any_parts(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    vault = Vault()
    sent = replaced(vault, text)
    assert "a@x.org" not in sent
    assert text == vault.restore(sent)
    restoring = vault.restoring()
    parts = [sent[place : place + size] for place in range(0, len(sent), size)]
    assert text == "".join([restoring.feed(part) for part in parts]) + restoring.finish()
