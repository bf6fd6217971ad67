"""The parts of the check: numbering plans, previews, the card, entropy."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.pii.card import make_card, read_errors
from verilabel.audit.pii.entropy import is_above
from verilabel.audit.pii.kernels.numbers import holds_luhn
from verilabel.audit.pii.kinds import KINDS
from verilabel.audit.pii.masking import mask
from verilabel.audit.pii.opening import OPENING
from verilabel.audit.pii.phones import NumberingPlans
from verilabel.audit.pii.prefixes import list_prefixes
from verilabel.audit.settings import AuditSettings, PiiSettings
from verilabel.detectors.spans import checks
from verilabel.errors import UsageError


def test_international_numbers_are_valid_where_the_library_says_so() -> None:
    plans, draw = NumberingPlans(()), random.Random(5)
    codes = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    for _ in range(600):
        code = draw.choice(codes)
        digits = f"{code}{draw.randrange(10 ** draw.randint(6, 11))}"
        national = digits[len(str(code)) :]
        zeros = len(national) - len(national.lstrip("0"))
        number = phonenumbers.PhoneNumber(
            country_code=code,
            national_number=int(national or 0),
            italian_leading_zero=zeros > 0 or None,
            number_of_leading_zeros=zeros if zeros > 1 else None,
        )
        assert phonenumbers.is_valid_number(number) == plans.holds_international(digits), digits


def test_national_numbers_are_those_of_the_regions_alone() -> None:
    assert NumberingPlans(("US",)).holds_national("2025550143")
    assert NumberingPlans(("US",)).holds_national("12025550143")
    assert NumberingPlans(("GB",)).holds_national("02079460958")
    assert not NumberingPlans(("GB",)).holds_national("2079460958")
    assert not NumberingPlans(("DE",)).holds_national("2025550143")


def test_a_region_without_a_plan_is_refused_with_its_place() -> None:
    settings = AuditSettings(pii=PiiSettings(regions=("US", "ZZ")))
    with pytest.raises(UsageError, match=r"'ZZ'.* @ \$\.pii\.regions"):
        OPENING.prepare(settings, Path())


@given(st.from_regex(r"\A[0-9]{1,19}\Z"))
def test_the_compiled_check_digit_is_that_of_the_product(digits: str) -> None:
    data = np.frombuffer(digits.encode(), np.uint8)
    assert checks.holds_luhn(digits) == holds_luhn(data, 0, len(data))


@given(st.binary(min_size=1, max_size=256), st.sampled_from([2.0, 3.0, 3.3, 4.0]))
def test_entropy_in_whole_numbers_is_shannons(value: bytes, bits: float) -> None:
    size = len(value)
    exact = -sum(n / size * math.log2(n / size) for n in Counter(value).values())
    if abs(exact - bits) > 1e-5:
        assert (exact > bits) == is_above(value, bits)


@pytest.mark.parametrize(
    ("kind", "value", "preview"),
    [
        ("pii.email", "jane.doe@mail.zzqx.org", "j***@***.org"),
        ("pii.phone", "+44 20 7946 0958", "+** ** **** ****"),
        ("pii.card", "4539-8018-3739-9610", "****-****-****-**10"),
        ("pii.iban", "DE51374691171976474613", "DE** ****"),
        ("pii.ssn", "308-63-0237", "***-**-****"),
        ("pii.nino", "AB204816C", "***"),
        ("pii.ipv4", "84.23.30.17", "**.**.**.**"),
        ("secret.url_password", "hunter22", "***"),
        ("secret.generic", "q8Zr4TnW1yKs", "***"),
        ("secret.github_token", "gh" + "p_R4nD0mT0k3n", "ghp_***"),
        ("secret.unknown", "x", "***"),
    ],
)
def test_a_preview_shows_the_form_and_little_else(kind: str, value: str, preview: str) -> None:
    assert preview == mask(kind, value.encode())


@given(st.sampled_from([kind.id for kind in KINDS]), st.binary(max_size=200))
def test_no_preview_is_long_or_raises(kind: str, value: bytes) -> None:
    preview = mask(kind, value)
    assert len(preview) <= 64
    shown = [char for char in preview if char.isdigit()]
    assert len(shown) <= 4


def test_the_card_changes_with_the_regions_and_names_every_kind_once() -> None:
    card = make_card(("US", "GB"))
    names = [kind.id for kind in card.kinds]
    assert len(set(names)) == len(names) >= 14
    assert card.data_sha256 != make_card(("US",)).data_sha256
    assert card == make_card(("US", "GB"))


def test_measured_errors_are_possible_and_of_kinds_that_exist() -> None:
    errors = read_errors().errors
    assert set(errors) <= {kind.id for kind in KINDS}
    for rows in errors.values():
        for row in rows:
            assert 0 <= row.found <= row.planted
            assert 0 <= row.correct <= row.claimed


def test_no_prefix_is_hidden_by_a_shorter_one_before_it() -> None:
    texts = [prefix.text for prefix in list_prefixes()]
    assert len(set(texts)) == len(texts)
    for place, text in enumerate(texts):
        assert not any(text.startswith(earlier) for earlier in texts[:place])
