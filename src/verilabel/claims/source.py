"""Where claims are read from: a file, a folder, an https address or a model on the Hugging Face hub."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from verilabel.claims.claim import Document
from verilabel.claims.metadata import is_every_eval_ever, load_decimal_json
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.suites.download import NotServed, fetch_bytes

MAX_BYTES = 8 * 2**20
"""A larger document is refused."""
MAX_FILES = 200
HUB = "https://huggingface.co"
CARD_SUFFIXES = (".md", ".markdown", ".txt", ".text", "")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_RESULT_PATH = re.compile(r"\.eval_results/(?!\.)[^/\x00-\x1f\\]{1,200}\.ya?ml")
_HUB_PAGE = re.compile(r"https://(?:www\.)?huggingface\.co/([^/?#]+/[^/?#]+?)/?", re.ASCII)
_CODE_PAGE = re.compile(r"https://github\.com/([^/]+/[^/]+)/blob/(.+)", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_source(reference: str) -> list[Document]:
    """The documents behind FILE, FOLDER, https://... or hf:ORG/NAME; the network is used for the last two alone.

    Raises UsageError for what is not there or cannot be fetched, MalformedInput for what is no text or a PDF,
    LimitExceeded beyond 8 MiB a document or 200 files, MissingExtra without the package that fetches.
    """
    if reference.startswith("hf:"):
        return fetch_hub_model(reference.removeprefix("hf:"))
    if "://" in reference:
        page = _HUB_PAGE.fullmatch(reference)
        if page and not page[1].startswith(("datasets/", "spaces/", "docs/", "papers/", "blog/")):
            return fetch_hub_model(page[1])
        return [_document(reference, fetch_page(reference))]
    path = Path(reference)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        hint = (
            f"for a model on the Hugging Face hub write hf:{reference}"
            if _HUB_NAME.fullmatch(reference)
            else None
        )
        raise UsageError("there is no such file or folder", where=reference, hint=hint)
    return [_read_file(path, reference)]


def fetch_page(url: str) -> bytes:
    """One document from an https address (plain http from this machine alone)."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UsageError("only https addresses are fetched", where=url)
    if parts.username or parts.password:
        raise UsageError(
            "an address with a password in it is not fetched", where=f"{parts.scheme}://{parts.hostname}"
        )
    code = _CODE_PAGE.fullmatch(url)
    return fetch_bytes(
        f"https://raw.githubusercontent.com/{code[1]}/{code[2]}" if code else url, limit=MAX_BYTES
    )


def fetch_hub_model(name: str) -> list[Document]:
    """A model's card and its `.eval_results` from the Hugging Face hub, or from the hub at $HF_ENDPOINT."""
    if not _HUB_NAME.fullmatch(name) or ".." in name:
        raise UsageError(f"{name[:100]!r} is not the name of a model", hint="write hf:ORG/NAME")
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    try:
        card = fetch_page(f"{hub}/{name}/raw/main/README.md")
    except NotServed as error:
        if error.http_status in (401, 403, 404):
            raise UsageError(
                f"the hub shows no card of a model {name!r}",
                where=hub,
                hint="there is none of this name, it has no README.md, or it is not public",
            ) from error
        raise
    documents = [_document(f"hf:{name}/README.md", card, repository=name)]
    for path in _list_results(hub, name):
        data = fetch_page(f"{hub}/{name}/raw/main/{quote(path)}")
        documents.append(_document(f"hf:{name}/{path}", data, repository=name))
    return documents


def _list_results(hub: str, name: str) -> list[str]:
    """The files of the folder `.eval_results`; none where the hub says that there is no such folder."""
    url = f"{hub}/api/models/{name}/tree/main/.eval_results"
    try:
        listing = fetch_page(url)
    except NotServed as error:
        if error.http_status == 404:
            return []
        raise
    try:
        entries: Any = json.loads(listing)
        paths = [entry["path"] for entry in entries if entry.get("type") == "file"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedInput("the hub's list of files is not one", where=url) from error
    wanted = [path for path in paths if isinstance(path, str) and _RESULT_PATH.fullmatch(path)]
    if len(wanted) > MAX_FILES:
        raise LimitExceeded(f"{len(wanted)} files of results, at most {MAX_FILES} are read", where=url)
    return wanted


def _read_folder(folder: Path) -> list[Document]:
    cards = sorted(path for path in folder.iterdir() if path.is_file() and _is_card(path))
    results = sorted(
        path
        for path in (folder / ".eval_results").glob("*")
        if path.suffix in (".yaml", ".yml") and path.is_file()
    )
    data = sorted(path for path in folder.glob("*.json") if path.is_file() and _looks_ever(path))
    files = [*cards, *results, *data]
    if len(files) > MAX_FILES:
        raise LimitExceeded(f"{len(files)} files, at most {MAX_FILES} are read", where=str(folder))
    if not files:
        raise UsageError(
            "the folder holds no card and no results",
            where=str(folder),
            hint="a README.md or another .md file, .eval_results/*.yaml, or Every Eval Ever JSON",
        )
    return [_read_file(path, str(path)) for path in files]


def _is_card(path: Path) -> bool:
    return path.suffix.lower() in (".md", ".markdown")


def _looks_ever(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return b'"schema_version"' in start and path.stat().st_size <= MAX_BYTES and _is_ever(path.read_bytes())


def _is_ever(data: bytes) -> bool:
    try:
        return is_every_eval_ever(load_decimal_json(data, where=""))
    except MalformedInput:
        return False


def _read_file(path: Path, name: str) -> Document:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise LimitExceeded(f"more than {MAX_BYTES} bytes", where=name)
    return _document(name, data)


def _document(name: str, data: bytes, repository: str = "") -> Document:
    if data.startswith(b"%PDF"):
        raise MalformedInput(
            "a PDF is not read", where=name, hint="save its text as .txt or .md (for example with pdftotext)"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=name) from error
    if "\0" in text:
        raise MalformedInput("not a text", where=name)
    suffix = Path(urlsplit(name).path if "://" in name else name).suffix.lower()
    if suffix in (".yaml", ".yml"):
        return Document(name, "eval_results", text, digest(data), repository)
    if suffix == ".json" or text.lstrip()[:1] == "{":
        return Document(name, "every_eval_ever", text, digest(data), repository)
    if re.match(r"\s*<(?:!doctype html|html)\b", text, re.IGNORECASE):
        raise MalformedInput(
            "an HTML page is not read", where=name, hint="give the Markdown behind it, or hf:ORG/NAME"
        )
    return Document(name, "card", text, digest(data), repository)
