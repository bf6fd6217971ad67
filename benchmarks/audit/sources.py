"""Real text from what packages ship on a machine: documentation, manual pages, docstrings and sources as documents."""

from __future__ import annotations

import gzip
import html
import os
import re
import sys
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from pathlib import Path
from random import Random
from typing import Any

USUAL = (
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/perl",
    "/usr/share/perl5",
    "/usr/share/vim",
    "/usr/share/javascript",
    "/usr/share/nodejs",
    "/usr/share/tcltk",
    "/usr/lib/python3",
    "/usr/include",
)
PROSE = {"md", "rst", "txt", "html", "htm", "adoc", "texi", "pod", "gz", "py", "pyi", "rs", "tex", "org", ""}
CODE = {
    "py",
    "js",
    "ts",
    "c",
    "h",
    "rs",
    "java",
    "hpp",
    "cpp",
    "cc",
    "go",
    "pl",
    "pm",
    "lua",
    "vim",
    "tcl",
    "sh",
}
UNREAD = ("license", "licence", "copying", "copyright", "notice", "authors", "record", "sources.txt")
MIN_FILE, MAX_FILE = 300, 2_000_000
MIN_DOCUMENT, MAX_DOCUMENT = 250, 80_000
MEDIAN_DOCUMENT = 2_000
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_DOCSTRING = re.compile(r'"""([^"]{80,}?)"""')
_MARKUP = re.compile(r"<(script|style)\b[\s\S]*?</\1>|<[^>]{0,2000}>")
_ROFF = re.compile(r"^[.'][A-Za-z\\\"]+ ?", re.MULTILINE)
_ROFF_ESCAPE = re.compile(r"\\f[A-Z]|\\[-&]")
_SPACES = re.compile(r"[ \t]{2,}")
_LETTERS = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Piece:
    """One document cut from a file."""

    text: bytes
    code: bool
    source: str


def usual_roots() -> list[Path]:
    """The folders of this machine that packages fill with text: Debian's, the standard library's, site-packages'."""
    python = [sysconfig.get_paths()[name] for name in ("stdlib", "purelib")]
    return [root for root in map(Path, [*USUAL, *python]) if root.is_dir()]


def list_files(roots: Sequence[Path]) -> Iterator[Path]:
    """Files of usual sizes below the roots, by name, each once; links are not followed."""
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = Path(folder) / name
                if name.lower().startswith(UNREAD) or path.is_symlink():
                    continue
                try:
                    known = path.stat()
                except OSError:
                    continue
                if MIN_FILE <= known.st_size <= MAX_FILE and (known.st_dev, known.st_ino) not in seen:
                    seen.add((known.st_dev, known.st_ino))
                    yield path


def ending_of(path: Path) -> str:
    """A name's last ending in lower case, `gz` aside; empty for none."""
    return path.name.lower().rpartition(".")[2] if "." in path.name else ""


def read_text(path: Path) -> str | None:
    """The file as text, unpacked where it is gzip; None where it is no UTF-8 or damaged."""
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = zlib.decompressobj(wbits=31).decompress(data, 3_000_000)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError, zlib.error, gzip.BadGzipFile):
        return None
    return None if "\0" in text else text


def prose_of(path: Path, text: str) -> str:
    """What people wrote for people in a file: text without markup, docstrings, comments of documentation."""
    ending = ending_of(path.with_suffix("") if path.suffix == ".gz" else path)
    if ending in ("html", "htm"):
        return _SPACES.sub(" ", html.unescape(_MARKUP.sub(" ", text)))
    if "/man/" in str(path):
        return _ROFF_ESCAPE.sub("", _ROFF.sub("", text))
    if ending in ("py", "pyi"):
        return "\n\n".join(_DOCSTRING.findall(text))
    if ending == "rs":
        lines = (line.strip() for line in text.split("\n"))
        return "\n".join(line[3:].strip() for line in lines if line.startswith(("///", "//!")))
    return text


@lru_cache(maxsize=1)
def _dropped() -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive = False
    words = (
        r"licen[sc]e|licen[sc]ing|copyright|\(c\) ?\d|©|rights reserved|creativecommons|spdx|warrant(y|ies)"
    )
    terms = r"|\bl?gpl|public domain|same terms as|artistic|redistribut|proprietary"
    marks = r"|private key|noai|tdm-?reserv|subscribe|subscription|paywall"
    return re2.compile(words + terms + marks, options)


@lru_cache(maxsize=1)
def _scrubbed() -> list[tuple[Any, Any]]:
    import re2

    options = re2.Options()
    options.case_sensitive = False
    always = [
        (rb"\S*@\S*", b"contact"),
        (rb"[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d]\b", b"code"),
        (rb"(?-i:[A-Z]{2}\d{2}[A-Z0-9 ]{7,}[A-Z0-9])|[a-z]{2}\d{2}[a-z0-9]{10,}", b"code"),
        (rb"\+?\(?\d[\d\-.() /]{5,}\d", b"42"),
        (rb"(?:[0-9a-f]{2}-){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", b"address"),
        (
            rb"(passw(?:or)?d|passwd|secret|token|api[_-]?key|credential)s?[\"']?\s*(?:=>|:=|[:=])\s*[\"']?[^\s\"']{6,}",
            rb"\1 setting",
        ),
        (rb"[a-z+.\-]+://[^\s/:]+:[^\s/]+", b"address"),
        (rb"(phone|tel|fax|mobile|call)[.:]* *\+?[\d() ]{5,}", rb"\1"),
    ]
    sometimes = [
        (rb"(?:[0-9a-f]{0,4}:){2,}[0-9a-f:.]*", _replace_address),
        (rb"[a-z0-9+/=_\-]{20,}", _replace_identifier),
    ]
    return [(re2.compile(pattern, options), by) for pattern, by in [*always, *sometimes]]


def _replace_address(found: Any) -> bytes:
    text: bytes = found.group()
    return b"address" if any(48 <= byte < 58 for byte in text) else text


def _replace_identifier(found: Any) -> bytes:
    text: bytes = found.group()
    return b"identifier" if sum(48 <= byte < 58 for byte in text) >= 2 else text


def scrub(text: bytes) -> bytes:
    """Text without what looks like somebody's data, a secret or a number of a register, in any known form."""
    for pattern, by in _scrubbed():
        text = pattern.sub(by, text)
    return text


def cut_documents(path: Path, *, code: bool) -> list[Piece]:
    """A file as documents of whole paragraphs, log-normal in length; no paragraph that speaks of licences."""
    text = read_text(path)
    if text is None:
        return []
    if not code:
        text = prose_of(path, text)
    dropped = _dropped()
    paragraphs = [p for p in _PARAGRAPH.split(text) if len(p) > 20 and dropped.search(p) is None]
    source = Random(zlib.crc32(str(path).encode()))
    pieces: list[Piece] = []
    part: list[str] = []
    size, wanted = 0, _length(source)
    for paragraph in [*paragraphs, ""]:
        if paragraph:
            part.append(paragraph)
            size += len(paragraph)
        if size < wanted and paragraph:
            continue
        joined = scrub("\n\n".join(part)[:MAX_DOCUMENT].encode())
        if _is_text(joined):
            pieces.append(Piece(joined, code, str(path)))
        part, size, wanted = [], 0, _length(source)
    return pieces


def _length(source: Random) -> int:
    drawn = exp(source.normalvariate(log(MEDIAN_DOCUMENT), 1.0))
    return int(min(MAX_DOCUMENT * 3 / 4, max(MIN_DOCUMENT + 50, drawn)))


def _is_text(text: bytes) -> bool:
    start = text[:2_000].decode("utf-8", "ignore")
    enough = len(text) >= MIN_DOCUMENT and len(text.split(None, 31)) > 30
    return enough and len(_LETTERS.findall(start)) >= 0.4 * len(start)


def is_read(path: Path, *, code: bool) -> bool:
    """Whether a file is taken in the given pass."""
    if code:
        return ending_of(path) in CODE
    return ending_of(path) in PROSE or "/man/" in str(path)


def environment_roots() -> list[Path]:
    """Site-packages of the virtual environments beside the running one."""
    here = Path(sys.prefix).parent
    return sorted(here.glob(".venv*/lib/python3*/site-packages"))
