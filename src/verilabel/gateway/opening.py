"""What must be installed for a gateway."""

from __future__ import annotations

import importlib.util

from verilabel.errors import MissingExtra

PACKAGES = (
    "aiohttp",
    "ahocorasick_rs",
    "cel",
    "httptools",
    "jsonschema",
    "prometheus_client",
    "re2",
    "starlette",
    "uvicorn",
)


def require_gateway() -> None:
    """Check that the packages of the extra `gateway` are installed. Raises MissingExtra."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "gateway")
