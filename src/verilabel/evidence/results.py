"""The results documents of a bundle, as pure functions of what was counted.

The issuer writes them; a verifier derives them again and compares bytes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from verilabel.evidence.counting import Recount
from verilabel.records.canonical import jcs
from verilabel.records.strict_yaml import load_strict_yaml

MEASURES_FORMAT = "verilabel/measures/v1"


def measures_bytes(recount: Recount) -> bytes:
    """`results/measures.json`: every measure's counts, how far each stream went, and what was asked and failed."""
    streams = [{"suite": s.stream.suite, "answers": s.consumed, "planned": s.length} for s in recount.streams]
    served = [
        {"served_model": model, "fingerprint": fingerprint, "answers": count}
        for (model, fingerprint), count in sorted(recount.served.items())
    ]
    document: dict[str, Any] = {
        "format": MEASURES_FORMAT,
        "measures": {name: msgspec.to_builtins(tally) for name, tally in recount.tallies().items()},
        "streams": streams,
        "totals": {
            "requests": recount.requests,
            "judge_requests": recount.judge_requests,
            "input_tokens": recount.input_tokens,
            "output_tokens": recount.output_tokens,
        },
        "failures": dict(sorted(recount.failures.items())),
        "served": served,
    }
    return jcs(document)


def rubric_canonical_bytes(data: bytes, where: str) -> bytes:
    """A rubric file's content as JCS, with decimals as strings, for readers without a YAML parser."""
    return jcs(_decimals_as_strings(load_strict_yaml(data, where=where)))


def _decimals_as_strings(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: _decimals_as_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decimals_as_strings(item) for item in value]
    return value
