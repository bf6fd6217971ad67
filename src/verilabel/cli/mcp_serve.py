"""Labels for agents and editors: an MCP server over the bundles of some folders, read-only unless allowed more.

Its tools find the label of a system or model, verify a bundle, explain why a row stands, check whether a label meets
requirements, and describe bundled suites and rubrics; its resources are the labels and the rubrics' texts. Nothing of
a record (prompts, answers) is ever given out. Clients name bundles by what they were found as, never by a path.

It speaks on standard input and output, or with --http over streamable HTTP: on loopback without a token, for reading;
elsewhere each request carries a token. `file_incident` keeps a record in a folder: on stdio with --allow-write, over
HTTP for the token of --write-token-env.

examples:
  verilabel mcp serve --bundles bundles
  verilabel mcp serve --bundles bundles --trust trust.yaml --allow-write --incidents incidents
  verilabel mcp serve --bundles bundles --http 127.0.0.1:8791
  verilabel mcp serve --bundles bundles --http 0.0.0.0:8791 --token-env READ_TOKEN --write-token-env WRITE_TOKEN
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.server.incidents import IncidentDesk
    from verilabel.gateway.mcp.server.library import Library

SUMMARY = "serve labels to agents and editors over MCP"
PACKAGES = ("mcp", "starlette", "uvicorn")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from verilabel.cli.seal_options import add_trust_option

    parser.add_argument(
        "--bundles",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders with bundles, or bundles (default: none, only suites and rubrics are served)",
    )
    add_trust_option(parser)
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="streamable HTTP instead of stdio; port 0 takes a free one"
    )
    parser.add_argument(
        "--token-env", metavar="VARIABLE", help="environment variable with the token that may read"
    )
    parser.add_argument(
        "--write-token-env",
        metavar="VARIABLE",
        help="environment variable with the token that may also file incidents",
    )
    parser.add_argument(
        "--allow-write", action="store_true", help="on stdio: whoever starts this may file incidents"
    )
    parser.add_argument(
        "--incidents",
        type=Path,
        default=Path("incidents"),
        metavar="DIR",
        help="where incidents are kept (default incidents)",
    )
    parser.add_argument("--key", metavar="NAME|FILE", help="sign incidents with this key")
    parser.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )


def run(args: argparse.Namespace) -> ExitStatus:
    """Serve until the input ends, or the process is told to stop."""
    import importlib.util

    from verilabel.errors import MissingExtra

    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "agents")
    _check_options(args)
    from verilabel.cli.seal_options import open_trust
    from verilabel.gateway.mcp.server.library import Library

    library = Library(args.bundles, open_trust(args))
    desk = _open_desk(args) if args.allow_write or args.write_token_env else None
    if args.http is None:
        _serve_pipe(library, desk)
    else:
        _serve_http(args, library, desk)
    return ExitStatus.OK


def _check_options(args: argparse.Namespace) -> None:
    if args.http is None and (args.token_env or args.write_token_env):
        raise UsageError("tokens are for HTTP", hint="on stdio: --allow-write; or add --http HOST:PORT")
    if args.http is not None and args.allow_write:
        raise UsageError(
            "over HTTP, writing needs a token", where="--allow-write", hint="--write-token-env VARIABLE"
        )
    if args.key is not None and not (args.allow_write or args.write_token_env):
        raise UsageError(
            "nobody may file an incident that could be signed", where="--key", hint="--allow-write"
        )


def _open_desk(args: argparse.Namespace) -> IncidentDesk:
    from verilabel.cli.seal_options import open_signing_key
    from verilabel.gateway.mcp.server.incidents import IncidentDesk

    return IncidentDesk(args.incidents, None if args.key is None else open_signing_key(args))


def _serve_pipe(library: Library, incidents: IncidentDesk | None) -> None:
    import asyncio

    from verilabel.gateway.mcp.own_pipes import own_streams
    from verilabel.gateway.mcp.server.serving import Desk, Rights, make_server

    server = make_server(Desk(library, incidents, Rights("stdio", may_write=incidents is not None)))

    async def serve() -> None:
        async with own_streams() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    asyncio.run(serve())


def _serve_http(args: argparse.Namespace, library: Library, incidents: IncidentDesk | None) -> None:
    from verilabel.gateway.mcp.server.http_door import Tokens, check_place, make_app, serve
    from verilabel.gateway.mcp.server.serving import Desk, make_server
    from verilabel.serving import listen, read_token

    host, port = _place(args.http)
    tokens = Tokens(read_token(args.token_env), read_token(args.write_token_env))
    check_place(host, tokens)
    app = make_app(make_server(Desk(library, incidents, None)), tokens)

    def announce(url: str) -> None:
        print(f"listening on {url}", flush=True)
        if not tokens:
            print("no token: whoever reaches this machine's loopback may read", file=sys.stderr, flush=True)

    serve(app, listen(host, port), announce=announce)


def _place(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address", where="--http", hint="such as 127.0.0.1:8791")
    return host, int(port)
