"""What figures were measured on: processor, kernel, Python, packages, commit, load, date and command."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.settings import PEERS, REPOSITORY

PACKAGES = ("verilabel", "msgspec", "cryptography", "PyYAML", "aiohttp", "uvloop", "numpy", "scikit-learn")
PEER_PACKAGES = ("inspect-ai", "openai", "lm-eval", "aiohttp")


def describe_machine(arguments: Sequence[str], *, peers: bool) -> list[str]:
    """Lines that say what is measured on, at this moment."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    lines = [
        f"machine: {_processor()}, {os.cpu_count()} CPUs, {memory:.0f} GB, {platform.system()} {platform.release()}",
        f"python: {platform.python_implementation()} {platform.python_version()}",
        f"packages: {_versions(PACKAGES)}",
        f"commit: {_commit()}",
        f"load averages over 1, 5 and 15 minutes at the start: {load_averages()}",
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"command: python -m benchmarks {' '.join(arguments)}".rstrip(),
    ]
    if peers and PEERS.is_dir():
        lines.insert(3, f"peers' packages: {_versions(PEER_PACKAGES, _peer_packages())}")
    return lines


def load_averages() -> str:
    """How busy the machine was over the last 1, 5 and 15 minutes: figures of a busy machine are worth less."""
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _peer_packages() -> list[str]:
    return [str(path) for path in PEERS.glob("lib/python3*/site-packages")]


def _versions(names: Sequence[str], path: list[str] | None = None) -> str:
    known = {}
    for name in names:
        found = (
            metadata.distributions(name=name)
            if path is None
            else metadata.distributions(name=name, path=path)
        )
        known[name] = next((one.version for one in found), None)
    return ", ".join(f"{name} {version}" for name, version in known.items() if version) or "none"


def _commit() -> str:
    try:
        head = _ask_git("rev-parse", "--short=12", "HEAD")
        return head + (" with changes that are not committed" if _ask_git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _ask_git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
