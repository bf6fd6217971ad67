"""Fixtures of the tests of databases."""

from __future__ import annotations

from stores import store_url

__all__ = ["store_url"]
