"""`log.yaml` in a log's folder: the witnesses that are asked for cosignatures of its checkpoints.

format: verilabel/log-config/v1
witnesses:
  - url: https://witness.example.net
    key: witness.example.net+da3e442f+BBvq2y/VUh8NiOGjjQg5Ncc6W3OWw6BIcBd6YI+1occX
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.keys import KeyType, PublicKey, parse_public
from verilabel.evidence.trust import MAX_QUORUM
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.transparency.fetching import check_url

CONFIGURATION = "log.yaml"
CONFIGURATION_FORMAT = "verilabel/log-config/v1"
MAX_CONFIGURATION_BYTES = 256 * 1024
MAX_WITNESSES = MAX_QUORUM - 1
"""A note holds 64 signatures, one of them the log's own."""


@dataclass(frozen=True)
class WitnessAddress:
    """Where a witness answers, and the key that its cosignatures verify with."""

    url: str
    key: PublicKey


def make_address(url: str, key_line: str, *, where: str | None = None) -> WitnessAddress:
    """A witness from its URL and its key line. Raises MalformedInput, UsageError or PolicyError where one is wrong.

    Plain http is taken: what a witness answers is signed, and nothing secret is sent to it.
    """
    key = parse_public(key_line, where=where)
    if key.key_type is not KeyType.COSIGNATURE:
        raise MalformedInput(
            "the key of a witness is a cosignature key (type 0x04)",
            where=where,
            hint=f"for this key: {key.of_type(KeyType.COSIGNATURE).line}",
        )
    return WitnessAddress(check_url(url, may_be_plain=True, what="witness"), key)


def parse_witness(text: str) -> WitnessAddress:
    """A witness as `URL=VKEY`, the form of `--witness`. Raises UsageError or MalformedInput."""
    url, sign, line = text.partition("=")
    if not sign:
        raise UsageError("a witness is named by its address and its key", hint="--witness URL=VKEY")
    return make_address(url, line, where="--witness")


def read_configuration(folder: Path) -> tuple[WitnessAddress, ...]:
    """The witnesses of the log in a folder; none where there is no `log.yaml`. Raises MalformedInput."""
    path = folder / CONFIGURATION
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIGURATION_BYTES + 1)
    except FileNotFoundError:
        return ()
    return parse_configuration(data, where=str(path))


def parse_configuration(data: bytes, *, where: str = CONFIGURATION) -> tuple[WitnessAddress, ...]:
    """Read the bytes of a `log.yaml`. Raises MalformedInput with the path of what is wrong."""
    document = load_strict_yaml(data, where=where, max_bytes=MAX_CONFIGURATION_BYTES)
    root = f"{where}: $"
    if not isinstance(document, dict) or document.keys() != {"format", "witnesses"}:
        raise MalformedInput("not a mapping with exactly format and witnesses", where=root)
    if document["format"] != CONFIGURATION_FORMAT:
        raise MalformedInput(f"not the format {CONFIGURATION_FORMAT}", where=f"{root}.format")
    listed = document["witnesses"]
    if not isinstance(listed, list):
        raise MalformedInput("not a list", where=f"{root}.witnesses")
    witnesses = tuple(_parse_one(item, f"{root}.witnesses[{index}]") for index, item in enumerate(listed))
    check_witnesses(witnesses, where=f"{root}.witnesses")
    return witnesses


def _parse_one(item: Any, where: str) -> WitnessAddress:
    if not isinstance(item, dict) or item.keys() != {"url", "key"}:
        raise MalformedInput("not a mapping with exactly url and key", where=where)
    if not all(isinstance(value, str) for value in item.values()):
        raise MalformedInput("not a text", where=where)
    try:
        return make_address(item["url"], item["key"], where=f"{where}.key")
    except UsageError as error:
        raise MalformedInput(error.message, where=f"{where}.url", hint=error.hint) from None


def check_witnesses(
    witnesses: Sequence[WitnessAddress], log_key: PublicKey | None = None, *, where: str | None = None
) -> None:
    """Check that witnesses are different, not too many, and none is the log itself. Raises MalformedInput."""
    if len(witnesses) > MAX_WITNESSES:
        raise MalformedInput(f"{len(witnesses)} witnesses, the limit is {MAX_WITNESSES}", where=where)
    if len({witness.key.raw for witness in witnesses}) != len(witnesses):
        raise MalformedInput("the same witness twice", where=where)
    if log_key is not None and any(witness.key.raw == log_key.raw for witness in witnesses):
        raise MalformedInput("a log cannot be its own witness", where=where)


def write_configuration(folder: Path, witnesses: Sequence[WitnessAddress]) -> None:
    """Write the `log.yaml` of a log's folder."""
    lines = [f"format: {CONFIGURATION_FORMAT}", "witnesses:" if witnesses else "witnesses: []"]
    for witness in witnesses:
        lines += [f"  - url: {json.dumps(witness.url)}", f"    key: {json.dumps(witness.key.line)}"]
    data = "".join(f"{line}\n" for line in lines).encode("ascii")
    parse_configuration(data)
    write_file(folder / CONFIGURATION, data, overwrite=True)
