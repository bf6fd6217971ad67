"""Which digits are a telephone number, by the numbering plans of libphonenumber's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from verilabel.errors import MissingExtra, UsageError

_TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
MAX_DIGITS = 15
"""Of a number with its country's code (ITU-T E.164)."""


class NumberingPlans:
    """The plans of all countries for international numbers, of some regions for national ones.

    Raises UsageError for a region that no plan has.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        library = _library()
        unknown = [region for region in regions if region not in library.SUPPORTED_REGIONS]
        if unknown:
            raise UsageError(
                f"no numbering plan of the region {unknown[0]!r} is known",
                where="$.pii.regions",
                hint="give ISO 3166 codes of two capitals, such as US, GB or DE",
            )
        self._national = [
            (_metadata(region).national_prefix or "", _compile([_metadata(region)])) for region in regions
        ]

    def holds_international(self, digits: str, *, loosely: bool = False) -> bool:
        """True if digits that begin with a country's code are a number there that can be given to somebody.

        `loosely`: that could be, by its length and beginning, whatever its kind.
        """
        for size in (1, 2, 3):
            plan = _country_plan(int(digits[:size]), loosely) if len(digits) > size else None
            if plan is not None and plan.match(digits, size):
                return True
        return False

    def holds_national(self, digits: str) -> bool:
        """True if digits are a number of one of the regions, with or without its national prefix."""
        for prefix, plan in self._national:
            if plan.match(digits) and prefix != "0":
                return True
            if prefix and digits.startswith(prefix) and plan.match(digits, len(prefix)):
                return True
        return False


def plans_version() -> str:
    """The version of the metadata."""
    return str(_library().__version__)


@cache
def _country_plan(code: int, loosely: bool) -> re.Pattern[str] | None:
    library = _library()
    regions = library.COUNTRY_CODE_TO_REGION_CODE.get(code)
    if not regions:
        return None
    if regions == (library.REGION_CODE_FOR_NON_GEO_ENTITY,):
        return _compile([library.PhoneMetadata.metadata_for_nongeo_region(code)], loosely)
    return _compile([_metadata(region) for region in regions], loosely)


def _compile(plans: Iterable[Any], loosely: bool = False) -> re.Pattern[str]:
    # the metadata's patterns are bounded, and run over 15 digits at most
    return re.compile("|".join(_pattern(plan, loosely) for plan in plans))


def _pattern(plan: Any, loosely: bool) -> str:
    general = plan.general_desc.national_number_pattern
    if loosely:
        return rf"(?:{general})\Z"
    kinds = [getattr(plan, kind) for kind in _TYPES]
    numbers = "|".join(
        kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern
    )
    begin = f"(?={plan.leading_digits})" if plan.leading_digits else ""
    return rf"{begin}(?=(?:{general})\Z)(?:{numbers})\Z"


def _metadata(region: str) -> Any:
    return _library().PhoneMetadata.metadata_for_region(region)


@cache
def _library() -> Any:
    try:
        import phonenumbers
    except ImportError as error:
        raise MissingExtra("phonenumbers", "audit") from error
    return phonenumbers
