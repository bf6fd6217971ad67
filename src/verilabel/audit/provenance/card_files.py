"""The kinds of cards, each read strictly: Croissant JSON-LD, the front matter of a Hugging Face card, dataset_infos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from verilabel.audit.licences.declared import read_declared
from verilabel.audit.provenance.digests import DigestBudget, DigestClaim, check_digest, locate_file
from verilabel.errors import MalformedInput

MAX_DEPTH = 64
MAX_VALUES = 10_000
MAX_TEXT = 300
MAX_FRONT_MATTER = 2**20
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_DATASET_TYPES = frozenset(
    {"Dataset", "sc:Dataset", "schema:Dataset", "https://schema.org/Dataset", "http://schema.org/Dataset"}
)
_FILE_TYPES = frozenset(
    {"cr:FileObject", "FileObject", "sc:FileObject", "http://mlcommons.org/croissant/FileObject"}
)


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A licence as a card declares it."""

    text: str
    """In the card's words, at most MAX_TEXT characters; empty for what was read from a licence file."""
    ids: tuple[str, ...]
    """Ids of SPDX; empty where the words are no licence that is known."""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one card says. Texts are the card's, cut at MAX_TEXT characters."""

    path: str
    kind: Literal["croissant", "hub card", "dataset_infos", "licence file"]
    name: str = ""
    licences: tuple[Claim, ...] = ()
    creators: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    digests: tuple[DigestClaim, ...] = ()


def read_croissant(content: bytes, path: str, folder: Path, base: Path, budget: DigestBudget) -> Card | None:
    """A Croissant file, its files' digests checked; None for JSON that is none. Raises MalformedInput."""
    document = _parse_json(content)
    if not isinstance(document, dict) or not _is_croissant(document):
        return None
    return Card(
        path=path,
        kind="croissant",
        name=_cut(document.get("name")),
        licences=tuple(_claim(text) for text in _texts(document.get("license"))),
        creators=tuple(_texts(document.get("creator"))),
        languages=tuple(_texts(document.get("inLanguage"))),
        sources=tuple(_texts(document.get("prov:wasDerivedFrom"))) + tuple(_texts(document.get("isBasedOn"))),
        digests=tuple(_check_files(document.get("distribution"), folder, base, budget)),
    )


def _is_croissant(document: dict[str, Any]) -> bool:
    types = document.get("@type")
    named = types if isinstance(types, list) else [types]
    return any(isinstance(one, str) and one in _DATASET_TYPES for one in named)


def _check_files(
    distribution: object, folder: Path, base: Path, budget: DigestBudget
) -> Iterator[DigestClaim]:
    entries = distribution if isinstance(distribution, list) else [distribution]
    for entry in entries[:MAX_VALUES]:
        if not isinstance(entry, dict) or entry.get("@type") not in _FILE_TYPES:
            continue
        url = entry.get("contentUrl")
        url = url if isinstance(url, str) else ""
        file = _cut(entry.get("@id") or entry.get("name") or url)
        target = None if "containedIn" in entry else locate_file(url, folder, base)
        if "sha256" in entry:
            yield check_digest(file, "sha256", entry["sha256"], target, budget)
        elif "md5" in entry:
            yield check_digest(file, "md5", entry["md5"], target, budget)
        else:
            yield DigestClaim(file, "", "", "none given")


def read_hub_card(content: bytes, path: str) -> Card | None:
    """The front matter of a Hugging Face card; None where there is none. Raises MalformedInput."""
    match = _FRONT.match(_decode(content))
    if match is None:
        return None
    document = _parse_yaml(match.group(1))
    if document is None or document == "":
        return None
    if not isinstance(document, dict):
        raise MalformedInput("the front matter is no mapping")
    licences = [*_texts(document.get("license")), *_texts(document.get("licenses"))]
    if not licences or all(text.lower() == "other" for text in licences):
        licences += _texts(document.get("license_name"))
    return Card(
        path=path,
        kind="hub card",
        name=_cut(document.get("pretty_name")),
        licences=tuple(_claim(text) for text in licences),
        creators=tuple(_texts(document.get("annotations_creators"))),
        languages=tuple(_texts(document.get("language"))) + tuple(_texts(document.get("languages"))),
        sources=tuple(_texts(document.get("source_datasets"))),
        sizes=tuple(_texts(document.get("size_categories"))),
    )


def read_dataset_infos(content: bytes, path: str) -> Card:
    """A `dataset_infos.json`: licences, sizes and claimed checksums of every configuration. Raises MalformedInput."""
    document = _parse_json(content)
    if not isinstance(document, dict):
        raise MalformedInput("dataset_infos is no object")
    configurations = [document] if "features" in document else list(document.values())
    licences: list[str] = []
    sizes: list[str] = []
    digests: list[DigestClaim] = []
    for one in configurations[:MAX_VALUES]:
        if not isinstance(one, dict):
            raise MalformedInput("a configuration is no object")
        licences += _texts(one.get("license"))
        sizes += _list_splits(one.get("splits"))
        digests += _list_checksums(one.get("download_checksums"))
    return Card(
        path=path,
        kind="dataset_infos",
        licences=tuple(_claim(text) for text in dict.fromkeys(licences)),
        sizes=tuple(sizes[:MAX_VALUES]),
        digests=tuple(digests[:MAX_VALUES]),
    )


def _list_splits(splits: object) -> list[str]:
    if not isinstance(splits, dict):
        return []
    return [
        f"{_cut(name)}: {split['num_examples']} examples"
        for name, split in splits.items()
        if isinstance(split, dict) and isinstance(split.get("num_examples"), int)
    ]


def _list_checksums(checksums: object) -> list[DigestClaim]:
    if not isinstance(checksums, dict):
        return []
    nowhere = DigestBudget(0)
    return [
        check_digest(_cut(url), "sha256", entry.get("checksum"), None, nowhere)
        for url, entry in checksums.items()
        if isinstance(entry, dict) and "checksum" in entry
    ]


def _claim(text: str) -> Claim:
    said = read_declared(text)
    return Claim(text, said.ids if said else ())


def _cut(value: object) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    """The texts of a field that holds one, a list of them, or objects with a name or address."""
    values = value if isinstance(value, list) else [value]
    found: list[str] = []
    for one in values[:MAX_VALUES]:
        if isinstance(one, dict):
            named = next(
                (one[key] for key in ("name", "prov:label", "url", "@id", "@value") if one.get(key)), None
            )
            one = named  # noqa: PLW2901
        text = _cut(one).strip()
        if text:
            found.append(text)
    return found


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("not UTF-8") from None


def _parse_json(content: bytes) -> Any:
    """JSON with each key once, finite numbers and at most MAX_DEPTH levels."""
    text = _decode(content)
    _check_depth(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise MalformedInput("nested too deep") from None
    except json.JSONDecodeError as error:
        raise MalformedInput(f"not JSON (line {error.lineno})") from None
    except ValueError:  # an integer of more digits than Python reads
        raise MalformedInput("a number is too long") from None


def _check_depth(text: str) -> None:
    """Before the parser, which recurses: brackets inside strings do not count."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]+|\\.)*+"|[\[{]|[\]}]', text):
        mark = token.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedInput("nested too deep")
        elif mark in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedInput("a key stands twice in one object")
    return found


def _refuse(constant: str) -> Any:
    raise MalformedInput(f"{constant} is no number of JSON")


def _parse_yaml(text: str) -> Any:
    """YAML as texts, lists and mappings alone: `no` is the code of a language here and no falsehood."""
    if len(text) > MAX_FRONT_MATTER:
        raise MalformedInput("the front matter is too long")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        raise MalformedInput("the front matter is not YAML") from None
    return None if node is None else _convert(node)


def _check_events(text: str) -> None:
    """No aliases, which a few lines make into gigabytes, and no deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise MalformedInput("the front matter uses aliases, which are not read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedInput("the front matter is nested too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _convert(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None or name in found:
                raise MalformedInput("a key of the front matter stands twice or is no text")
            found[name] = _convert(value)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_convert(one) for one in node.value]
    return node.value
