"""Data-set repositories of the Hugging Face hub: which of their files hold the data, here and there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from verilabel.audit.reading.listing import Found, name_form
from verilabel.audit.reading.places import RemoteFile, list_remote, open_store, reach
from verilabel.errors import MalformedInput, MissingExtra, UsageError

MOST_CARD = 2**20
"""Bytes of a data card's beginning in which its settings have to be."""
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_HUB = re.compile(
    r"(?:hub:|hf://datasets/)(?P<id>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^/@\s]+))?(?P<path>/.*)?", re.ASCII
)
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_BESIDE = frozenset(
    {"readme.md", ".gitattributes", "license", "license.txt", "license.md", "dataset_infos.json"}
)


def is_hub(given: str) -> bool:
    """Whether an input names a repository of the hub."""
    return given.startswith(("hub:", "hf://"))


def list_hub(given: str) -> tuple[str, list[Found]]:
    """The repository with its commit, and its files of data. Asks the hub, for a revision first.

    Raises UsageError where it does not answer or there is no such repository, MissingExtra without its package.
    """
    matched = _HUB.fullmatch(given)
    if matched is None:
        raise UsageError(
            "this is no data set of the hub",
            where=given,
            hint="such as hub:ORG/NAME@REVISION or hf://datasets/ORG/NAME",
        )
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtra("huggingface_hub", "hub") from None
    with reach(given):
        found = huggingface_hub.HfApi().dataset_info(matched["id"], revision=matched["revision"])
    commit = str(found.sha)
    if not _COMMIT.fullmatch(commit):
        raise UsageError("the hub names no commit", where=given)
    label = f"{matched['id']}@{commit}"
    url = f"hf://datasets/{label}"
    files = _relative(list_remote(url + (matched["path"] or "")), label)
    if matched["path"]:
        return label, files
    return label, select_data(files, given, lambda file: _read_remote(file.place))


def _relative(files: Sequence[RemoteFile], label: str) -> list[Found]:
    """Names below the repository; the place is always of the commit, however the store spells it."""
    repository = label.partition("@")[0]
    found = []
    for file in files:
        name = re.sub(rf"^hf://datasets/{re.escape(repository)}(@[^/]+)?/", "", file.url)
        found.append(Found(name, f"hf://datasets/{label}/{name}", file.size))
    return sorted(found)


def _read_remote(url: str) -> bytes:
    store, path = open_store(url)
    with reach(url), store.open(path, "rb") as file:
        return bytes(file.read(MOST_CARD))


def select_data(files: list[Found], where: str, read: Callable[[Found], bytes]) -> list[Found]:
    """The files of data, where a folder is a data-set repository: its card has `configs` or `dataset_info`.

    Otherwise all files. `read` gives the beginning of a file. Raises MalformedInput where the card cannot be read or
    names files that are not there.
    """
    card = next((file for file in files if file.name == "README.md" and not file.problem), None)
    settings = None if card is None else read_settings(read(card), f"{where}/README.md")
    if settings is None:
        return files
    patterns = [*_patterns(settings.get("configs"))]
    if patterns:
        wanted = [_compile(pattern, where) for pattern in patterns]
        chosen = [file for file in files if any(test.fullmatch(file.name) for test in wanted)]
        if not chosen:
            raise MalformedInput(
                "the data files that the card names are not there",
                where=f"{where}/README.md",
                hint="fetch them all",
            )
        return chosen
    data = [file for file in files if _is_data(file.name)]
    texts = [file for file in files if file.name.lower() not in _BESIDE and not file.name.startswith(".")]
    return data or texts or files


def _is_data(name: str) -> bool:
    return name_form(name)[0] is not None or (name.endswith(".json") and name.lower() not in _BESIDE)


def read_settings(card: bytes, where: str) -> dict[str, Any] | None:
    """What a data card says in front of its text, where it describes data files. Raises MalformedInput."""
    matched = _FRONT.match(card[:MOST_CARD].decode("utf-8", "replace"))
    if matched is None:
        return None
    try:
        settings = yaml.load(matched.group(1), _NoAliases)  # noqa: S506  derived from the safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        raise MalformedInput("what stands in front of the card is no YAML", where=where) from None
    if not isinstance(settings, dict) or not ("configs" in settings or "dataset_info" in settings):
        return None
    return settings


class _NoAliases(yaml.SafeLoader):
    """YAML without references, which would let a small card become a large one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference")
        return super().compose_node(parent, index)


def _patterns(configs: object) -> Iterator[str]:
    """Every pattern of `data_files`, in whichever of the forms that the hub knows."""
    for config in configs if isinstance(configs, list) else []:
        if not isinstance(config, dict):
            continue
        folder = config.get("data_dir")
        prefix = f"{folder.strip('/')}/" if isinstance(folder, str) and folder.strip("/. ") else ""
        said = config.get("data_files")
        if said is None and prefix:
            yield f"{prefix}**"
        for pattern in _leaves(said):
            yield prefix + pattern.removeprefix("./")


def _leaves(said: object) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, list):
        for one in said:
            yield from _leaves(one)
    elif isinstance(said, dict):
        # {split, path} or {train: ..., test: ...}
        yield from _leaves(said["path"] if "path" in said else list(said.values()))


def _compile(pattern: str, where: str) -> Any:
    """A pattern as an expression that takes linear time on any name."""
    try:
        import re2
    except ImportError:
        raise MissingExtra("google-re2", "audit") from None
    try:
        return re2.compile(_translate(pattern))
    except re2.error:
        raise MalformedInput("a pattern of the card cannot be read", where=f"{where}/README.md") from None


def _translate(pattern: str) -> str:
    """A pattern as a regular expression: `*` and `?` stay within a folder, `**` does not."""
    out = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
        elif pattern.startswith("**", at):
            out.append(".*")
            at += 2
        elif pattern[at] in "*?":
            out.append("[^/]*" if pattern[at] == "*" else "[^/]")
            at += 1
        else:
            out.append(re.escape(pattern[at]))
            at += 1
    return "".join(out)
