"""The options that say where a gateway keeps its keys and approvals."""

from __future__ import annotations

import argparse
from pathlib import Path

from verilabel.errors import UsageError

DEFAULT_CONFIG = Path("gateway.yaml")
DEFAULT_STORE = "gateway.db"


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Options that name the store, itself or by the gateway's configuration."""
    parser.add_argument(
        "--store",
        metavar="FILE|URL",
        help="the gateway's store: a SQLite file, or postgresql://... (default: what gateway.yaml names,"
        f" or {DEFAULT_STORE})",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="the gateway's configuration (gateway.yaml, or mcp.yaml of the MCP gateway), which names the store",
    )


def chosen_store(args: argparse.Namespace, *, must_exist: bool) -> str:
    """The store that the options name. Raises UsageError where there is none and one must be there."""
    from verilabel.registry.database import is_file_store, shown_store

    store = args.store or _store_of(getattr(args, "config", DEFAULT_CONFIG))
    if must_exist and is_file_store(store) and not Path(store.removeprefix("sqlite:")).exists():
        raise UsageError(
            "there is no store here", where=shown_store(store), hint="--store FILE, or --config gateway.yaml"
        )
    return str(store)


def _store_of(config: Path) -> str:
    if config == DEFAULT_CONFIG and not config.exists():
        return DEFAULT_STORE
    from verilabel.gateway.mcp.policy.reading import is_mcp_file, load_mcp_file
    from verilabel.gateway.policy.reading import load_gateway

    if config.is_file() and is_mcp_file(config.read_bytes()):
        store = load_mcp_file(config).gateway.database
    else:
        store = load_gateway(config).gateway.store
    return store if "://" in store else str(config.parent / store)
