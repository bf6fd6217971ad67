"""What is dangerous in how a server is started or reached: its command, its address, its files.

Commands are read as argument lists; what a shell would make of its `-c` text is only searched, never run. Files are
looked at (mode and owner), not opened.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from verilabel.gateway.mcp.pins.scanning.phrases import shell_rules
from verilabel.gateway.mcp.pins.unseen_text import show_address

MAX_ARGUMENT = 20_000
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ash", "ksh", "fish", "powershell", "pwsh", "cmd"))
_PACKAGE_RUNNERS = {
    ("npx",): "npm",
    ("bunx",): "npm",
    ("pnpx",): "npm",
    ("npm", "exec"): "npm",
    ("npm", "x"): "npm",
    ("pnpm", "dlx"): "npm",
    ("yarn", "dlx"): "npm",
    ("bun", "x"): "npm",
    ("uvx",): "pypi",
    ("uv", "tool", "run"): "pypi",
    ("pipx", "run"): "pypi",
    ("go", "run"): "go",
}
_PACKAGE_OPTIONS = frozenset(("-p", "--package", "--from", "--spec", "--with"))
_OPTIONS_WITH_VALUES = frozenset(
    (
        "--python",
        "--registry",
        "--index",
        "--index-url",
        "--cache",
        "--directory",
        "-c",
        "--call",
        "--node-options",
    )
)
_CONTAINER_OPTION_WORDS = """
-v --volume -e --env --env-file --mount --name --network --net -p --publish -u --user -w --workdir --entrypoint --memory
-m --cpus --label -l --platform --add-host --cap-add --cap-drop --device --gpus --hostname -h --ipc --pid --pull
--restart --runtime --security-opt --tmpfs --ulimit --userns --uts --shm-size --dns
"""
_CONTAINER_OPTIONS = frozenset(_CONTAINER_OPTION_WORDS.split())
"""Options of `docker run` that take a value."""
_BROAD = frozenset(
    ("/", "~", "~/", "$HOME", "${HOME}", "${userHome}", "/home", "/root", "/Users", "C:\\", "C:/")
)
_WILDCARDS = frozenset(("0.0.0.0", "::", "[::]", "*"))  # noqa: S104 (compared, not bound)
_HOST_OPTIONS = frozenset(
    (
        "--host",
        "--bind",
        "--listen",
        "--allowed-hosts",
        "--allow-origin",
        "--allowed-origins",
        "--cors-origin",
    )
)


class Suspicion(NamedTuple):
    """A rule's id, what it is about (an argument, made harmless), and a sentence."""

    rule: str
    subject: str
    message: str


def inspect_command(command: Sequence[str], *, folder: Path) -> Iterator[Suspicion]:
    """What is suspicious about an argument list; paths in it begin at `folder`."""
    words = _unwrap([word[:MAX_ARGUMENT] for word in command])
    if not words:
        return
    program = _program(words[0])
    if program in _SHELLS and _fetches_and_runs(" ".join(words[1:])):
        yield Suspicion("mcp/fetch-and-run", program, f"{program} fetches a program and runs it")
    yield from _inspect_package(words)
    if program in ("docker", "podman", "nerdctl") and "run" in words[1:4]:
        yield from _inspect_container(words[words.index("run", 1) + 1 :])
    yield from _inspect_hosts(words)
    yield from _inspect_folders(words)
    yield from _inspect_files(words, folder)


def _unwrap(words: list[str]) -> list[str]:
    """The command behind `env`, `sudo`, `cmd /c` and their like."""
    for _ in range(4):
        program = _program(words[0]) if words else ""
        if program == "cmd" and len(words) > 2 and words[1].lower() in ("/c", "/k"):
            words = words[2:]
        elif program in ("env", "sudo", "nice", "nohup", "time", "command", "exec"):
            words = words[1:]
            while words and (words[0].startswith("-") or ("=" in words[0] and program == "env")):
                words = words[1:]
        else:
            break
    return words


def _program(word: str) -> str:
    name = word.replace("\\", "/").rpartition("/")[2].lower()
    return name.removesuffix(".exe").removesuffix(".cmd").removesuffix(".bat")


def _fetches_and_runs(text: str) -> bool:
    return bool(shell_rules().find(text[:MAX_ARGUMENT]))


# -- packages --------------------------------------------------------------------------------------------------


def _inspect_package(words: Sequence[str]) -> Iterator[Suspicion]:
    for start, kind in _PACKAGE_RUNNERS.items():
        if (_program(words[0]), *words[1 : len(start)]) == start:
            for package in _packages_of(words[len(start) :]):
                if not _is_pinned(package, kind):
                    # an address may hold a credential
                    shown = "(address)" if ":" in package else show_address(package, 60)
                    message = f"{' '.join(start)} runs whatever version of {shown} there is"
                    yield Suspicion("mcp/unpinned-package", shown, message)
            return


def _packages_of(words: Sequence[str]) -> list[str]:
    """The packages that a runner installs: those named by options, or else the first argument."""
    named: list[str] = []
    extra: list[str] = []
    at = 0
    while at < len(words):
        word, _, value = words[at].partition("=")
        if word in _PACKAGE_OPTIONS:
            if not value:
                at += 1
                value = words[at] if at < len(words) else ""
            (extra if word == "--with" else named).append(value)
        elif word in _OPTIONS_WITH_VALUES:
            at += 0 if value else 1
        elif not words[at].startswith("-"):
            return (named or [words[at]]) + extra
        at += 1
    return named + extra


def _is_pinned(package: str, kind: str) -> bool:
    if package.startswith((".", "/", "~", "file:")) or package.endswith(
        (".whl", ".tgz", ".py", ".js", ".ts", ".go")
    ):
        return True
    if package.startswith(("git+", "http:", "https:", "github:", "git:", "gh:")):
        return _is_commit(package.replace("#", "@").rpartition("@")[2])
    if kind == "pypi":
        _, _, version = package.partition("==") if "==" in package else package.partition("@")
        return _is_version(version)
    version = package[1:].partition("@")[2]
    return _is_version(version.removeprefix("v") if kind == "go" else version)


def _is_commit(text: str) -> bool:
    return len(text) == 40 and set(text) <= set("0123456789abcdef")


def _is_version(text: str) -> bool:
    """True for one version: digits, at least one point, no range and no wildcard."""
    return (
        bool(text)
        and text[0].isdigit()
        and "." in text
        and not set(text) & set("*^~<>|, ")
        and "x" not in text.split(".")
    )


# -- containers ------------------------------------------------------------------------------------------------


def _inspect_container(words: Sequence[str]) -> Iterator[Suspicion]:
    options, image = _split_container(words)
    for option, value in options:
        message = _opens_container(option, value)
        if message is not None:
            yield Suspicion("mcp/open-container", option, message)
    if not image or "@sha256:" in image:
        return
    shown = show_address(image, 80)
    tag = image.rpartition("/")[2].partition(":")[2]
    if tag in ("", "latest", "main", "edge", "nightly"):
        yield Suspicion("mcp/unpinned-image", shown, f"the image {shown} is whatever is newest")
    else:
        yield Suspicion("mcp/image-by-tag", shown, f"the image {shown} is named by a tag")


def _split_container(words: Sequence[str]) -> tuple[list[tuple[str, str]], str]:
    options: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        word, has_value, value = words[at].partition("=")
        if not word.startswith("-"):
            return options, words[at]
        if not has_value and word in _CONTAINER_OPTIONS:
            at += 1
            value = words[at] if at < len(words) else ""
        options.append((word, value))
        at += 1
    return options, ""


def _opens_container(option: str, value: str) -> str | None:
    if option == "--privileged":
        return "a privileged container contains nothing"
    if option in ("-v", "--volume", "--mount"):
        if "docker.sock" in value or "podman.sock" in value or "containerd.sock" in value:
            return "who reaches the container engine's socket is root on this machine"
        if value.startswith("/:") or "source=/," in value or "src=/," in value:
            return "the whole disk is in the container"
    if option in ("--pid", "--userns", "--ipc", "--network", "--net") and value == "host":
        return f"the container shares the host's {option.strip('-')}"
    if option == "--cap-add" and value.upper() in ("ALL", "SYS_ADMIN", "CAP_SYS_ADMIN"):
        return "the container has the rights of root"
    return None


# -- addresses and files ---------------------------------------------------------------------------------------


def inspect_address(url: str, *, has_credential: bool) -> Iterator[Suspicion]:
    """What is suspicious about an address; with a credential, sending it in the clear is worse."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        yield Suspicion("mcp/malformed", "(address)", "the address cannot be read")
        return
    # no more than the host: paths and parameters hold credentials too
    shown = show_address(f"{parts.scheme}://{host}", 80)
    if host in _WILDCARDS or "*" in host:
        yield Suspicion("mcp/wildcard-host", shown, "the address is every host")
    elif parts.scheme in ("http", "ws") and not is_loopback(host):
        rule = "mcp/credential-over-http" if has_credential or parts.password else "mcp/plain-http"
        what = "a credential is sent" if rule == "mcp/credential-over-http" else "the server is reached"
        yield Suspicion(rule, shown, f"{what} without encryption")


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _inspect_hosts(words: Sequence[str]) -> Iterator[Suspicion]:
    for place, word in enumerate(words):
        option, _, value = word.partition("=")
        if option not in _HOST_OPTIONS:
            continue
        value = value or (words[place + 1] if place + 1 < len(words) else "")
        if value in _WILDCARDS:
            yield Suspicion("mcp/wildcard-host", option, f"{option} is everybody")


def _inspect_folders(words: Sequence[str]) -> Iterator[Suspicion]:
    if not any("filesystem" in word.lower() or "file-system" in word.lower() for word in words):
        return
    for word in words[1:]:
        if word in _BROAD:
            yield Suspicion("mcp/broad-files", show_address(word, 40), "a file server is given everything")


def _inspect_files(words: Sequence[str], folder: Path) -> Iterator[Suspicion]:
    for place, word in enumerate(words):
        is_path = word.startswith(("/", "./", "../")) or (place == 0 and "/" in word)
        if not is_path or len(word) > 4_096 or "\0" in word:
            continue
        path = folder / word
        if place and path.is_dir():
            continue
        why = find_writable(path) or find_writable(_resolve(path))
        if why is not None:
            yield Suspicion("mcp/writable-command", show_address(word, 80), why)


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


def find_writable(path: Path) -> str | None:
    """Why everybody could replace a file, in words; None where nobody but its owner and group can, or it is unknown.

    A folder that everybody may write in counts unless it is sticky and the file is there: then only its owner can
    remove it.
    """
    try:
        path = Path(os.path.normpath(path.absolute()))
        is_there = path.exists()
        if is_there and path.stat().st_mode & stat.S_IWOTH:
            return "everybody can write the file"
        for parent in path.parents:
            if not parent.is_dir():
                continue
            mode = parent.stat().st_mode
            if mode & stat.S_IWOTH and not (is_there and mode & stat.S_ISVTX):
                return "everybody can write in a folder above it"
            is_there = True  # what is below a folder that is there cannot be put in its place
    except OSError:
        return None
    return None
