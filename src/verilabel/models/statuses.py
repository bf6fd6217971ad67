"""What an HTTP status means for an attempt, and how long a provider asks to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from verilabel.models.dialects.dialect import filtered, read_error
from verilabel.records.attempt import Failure

MAX_RETRY_AFTER_S = 24 * 3600.0
FILTER_CODES = ("content_filter", "content_policy_violation")


def failure_of_status(status: int, body: bytes) -> Failure | None:
    """The failure that a status other than 200 stands for; None where it is 200.

    A key that is refused (401, 403) and a model or path that is unknown (404) fail every other question too.
    """
    if status == 200:
        return None
    detail = read_error(body)
    said = f"HTTP {status}: {detail.message}" if detail.message else f"HTTP {status}"
    if status == 400 and any(code in detail.code for code in FILTER_CODES):
        return filtered(detail.message or detail.code)
    if status in (401, 403):
        return Failure("unauthorized", said, fatal=True)
    if status == 404:
        return Failure("not_found", said, fatal=True)
    if status == 429:
        return _rate_limited(said, detail.code)
    if status >= 500 or status in (408, 409, 425):
        return Failure("server_error", said, retryable=True)
    if 200 < status < 400:
        return Failure(
            "malformed", f"{said}; redirects and partial answers are not followed", fatal=status >= 300
        )
    return Failure("bad_request", said)


def _rate_limited(said: str, code: str) -> Failure:
    # an exhausted account answers 429 for ever: waiting cannot help
    if "insufficient_quota" in code:
        return Failure("rate_limited", said, fatal=True)
    return Failure("rate_limited", said, retryable=True)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait, as `retry-after-ms` or `retry-after` says (RFC 9110, 10.2.3), at most a day.

    None where there is no such header, or none that can be read.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _seconds(text)
    if seconds is not None or text is None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return min(value, MAX_RETRY_AFTER_S) if value >= 0 else None
