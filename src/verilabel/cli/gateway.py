"""An LLM gateway: OpenAI's and Anthropic's APIs in front of your models, under guards, limits, people and labels.

Clients are pointed at it by their base URL and change nothing else. Every request passes the policy: guards that
redact, block or hold (streams too: what is streamed is what whole texts would be), limits, admission by verified
label; every request leaves one line in a hash-chained audit trail. Without a configuration file nothing starts:
`gateway init` writes one to begin with.

The gateway listens on loopback unless the file says otherwise, and asks for a key unless `auth: none` is set there.
TLS is the work of a reverse proxy. A changed policy or configuration takes effect within seconds, or leaves the last
good one in force.

examples:
  verilabel gateway init
  verilabel gateway keys create --name my-laptop --config gateway.yaml
  verilabel gateway --config gateway.yaml
  verilabel gateway check --config gateway.yaml
  verilabel gateway verify-log audit
  verilabel gateway bench --quick
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

SUMMARY = "an LLM gateway: guards, limits, approvals, admission by label, an audit trail"
ACTIONS = {
    "keys": "gateway_keys",
    "verify-log": "gateway_log",
    "log": "gateway_trail",
    "bench": "gateway_bench",
}
"""Actions with a file of their own."""
DEFAULT_CONFIG = Path("gateway.yaml")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gateway`."""
    _add_config(parser)
    parser.add_argument(
        "--port", type=int, metavar="N", help="another port than the file's; 0 takes a free one"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="another number of processes than the file's"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    init = actions.add_parser(
        "init", help="write a configuration and a policy to begin with", allow_abbrev=False
    )
    init.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where they go (default here)"
    )
    init.add_argument("--force", action="store_true", help="replace files that are there")
    check = actions.add_parser(
        "check",
        help="read configuration and policies, open everything once, say what would hold",
        allow_abbrev=False,
    )
    _add_config(check, default=argparse.SUPPRESS)
    add_json_flag(check)
    for name, module_name in ACTIONS.items():
        module = _module(module_name)
        action = actions.add_parser(
            name,
            help=module.SUMMARY,
            description=(module.__doc__ or "").strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(action)


def _add_config(parser: argparse.ArgumentParser, default: object = DEFAULT_CONFIG) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=default,
        help="the configuration (default gateway.yaml)",
    )


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"verilabel.cli.{name}")


def run(args: argparse.Namespace) -> ExitStatus:
    """Serve, or carry out an action."""
    if args.action in ACTIONS:
        status: ExitStatus = _module(ACTIONS[args.action]).run(args)
        return status
    if args.action == "init":
        return _init(args)
    if args.action == "check":
        return _check(args)
    return _serve(args)


def _serve(args: argparse.Namespace) -> ExitStatus:
    from verilabel.gateway.opening import require_gateway

    require_gateway()
    from verilabel.gateway.assembling import load_configuration
    from verilabel.gateway.server import check_config, run
    from verilabel.serving import listen

    if not args.config.exists():
        raise UsageError("there is no configuration", where=str(args.config), hint="verilabel gateway init")
    loaded = load_configuration(args.config)
    check_config(loaded)
    config = loaded.gateway
    workers = config.workers if args.workers is None else args.workers
    if not 1 <= workers <= 256:
        raise UsageError("the number of workers is from 1 to 256", where="--workers")
    for remark in loaded.remarks:
        print(f"gateway: {plain(str(remark))}", file=sys.stderr)
    listener = listen(config.host, config.port if args.port is None else args.port)

    def announce(url: str) -> None:
        print(f"listening on {url}  (base URL for clients: {url}/v1)", flush=True)
        if config.auth == "none":
            print("auth: none: whoever reaches this machine's loopback may ask", flush=True)

    return ExitStatus(run(args.config, listener, workers=workers, announce=announce))


def _init(args: argparse.Namespace) -> ExitStatus:
    from verilabel.evidence.atomic import write_file
    from verilabel.gateway.policy.bundled import bundled_bytes, sample_gateway_yaml

    files = {
        "gateway.yaml": sample_gateway_yaml().encode(),
        "policy.yaml": bundled_bytes("default"),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name in files:
        if (args.out / name).exists() and not args.force:
            raise UsageError("there is such a file already", where=str(args.out / name), hint="--force")
    for name, data in files.items():
        write_file(args.out / name, data, overwrite=args.force)
        print(f"wrote {args.out / name}")
    print("next: verilabel gateway keys create --name NAME, then verilabel gateway")
    return ExitStatus.OK


def _check(args: argparse.Namespace) -> ExitStatus:
    import asyncio

    from verilabel.gateway.opening import require_gateway

    require_gateway()
    from verilabel.gateway.checking import check_gateway

    found = asyncio.run(check_gateway(args.config))
    if args.json:
        print_json(found.document())
    else:
        for line in found.lines():
            print(plain(line))
    return ExitStatus.OK if found.serves_all else ExitStatus.CHECK_FAILED
