"""The scan: every check over every target, findings in the order of files, servers and lines.

Nothing is started and nothing is asked over a network: files that were named are read, files that commands name are
looked at. Offers of live servers come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from verilabel.errors import UsageError, VerilabelError
from verilabel.evidence.trust import load_trust
from verilabel.gateway.mcp.pins.interface import Offer
from verilabel.gateway.mcp.pins.locking import open_pins
from verilabel.gateway.mcp.pins.scanning.commands import (
    Suspicion,
    inspect_address,
    inspect_command,
    is_loopback,
)
from verilabel.gateway.mcp.pins.scanning.credentials import (
    find_in_address,
    find_in_arguments,
    inspect_variables,
)
from verilabel.gateway.mcp.pins.scanning.definitions import find_trifecta, inspect_offer
from verilabel.gateway.mcp.pins.scanning.finding import RULES, SEVERITIES, Finding
from verilabel.gateway.mcp.pins.scanning.places import Path
from verilabel.gateway.mcp.pins.scanning.targets import APPROVES_ALL, ConfiguredServer, Target
from verilabel.gateway.mcp.pins.skeletons import imitates_ascii, mixes_scripts
from verilabel.gateway.mcp.pins.unseen_text import find_hidden_in, show_name

_Placed = tuple[Path, Suspicion]


def scan(targets: Sequence[Target], live: Mapping[str, Sequence[Offer]] = {}) -> list[Finding]:
    """All findings, the worst first. `live` are offers of servers that were asked, by the file that names them."""
    offers = [offer for target in targets for offer, _ in target.offers]
    offers += [offer for each in live.values() for offer in each]
    found: list[Finding] = []
    for target in targets:
        for server in target.servers:
            found += _findings(target, server.name, _inspect_server(target, server))
        for offer, path in target.offers:
            placed = ((path + place, each) for place, each in inspect_offer(offer, _others(offer, offers)))
            found += _findings(target, offer.server, placed)
        for offer in live.get(target.file, ()):
            place = next((server.path for server in target.servers if server.name == offer.server), ())
            suspicions = ((place, each) for _, each in inspect_offer(offer, _others(offer, offers)))
            found += _findings(target, offer.server, suspicions)
        found += _findings(target, "", _inspect_gateway(target))
    trifecta = find_trifecta(offers)
    if trifecta is not None:
        found += _findings(targets[0], "", [((), Suspicion("mcp/lethal-trifecta", "", trifecta))])
    return sorted(found, key=_rank)


def _others(offer: Offer, offers: Sequence[Offer]) -> dict[str, Offer]:
    return {each.server: each for each in offers if each.server != offer.server}


def _rank(finding: Finding) -> tuple[int, str, int, str, str]:
    worst_first = -SEVERITIES.index(finding.severity)
    return worst_first, finding.target, finding.line or 0, finding.rule, finding.subject


def _findings(
    target: Target, server: str, placed: Iterator[_Placed] | Sequence[_Placed]
) -> Iterator[Finding]:
    for path, suspicion in placed:
        yield Finding(
            rule=suspicion.rule,
            severity=RULES[suspicion.rule].severity,
            target=target.file,
            line=target.placed.line(*path),
            server=show_name(server) if server else "",
            subject=suspicion.subject,
            message=suspicion.message,
        )


def _inspect_server(target: Target, server: ConfiguredServer) -> Iterator[_Placed]:
    credentials = list(_inspect_credentials(server))
    yield from credentials
    for each in inspect_command(server.command, folder=target.folder):
        yield (*server.path, "command" if server.entry is not None else "args"), each
    if server.url is not None:
        sends = bool(server.headers) or bool(server.entry and server.entry.headers_from)
        in_address = any(each.subject == "(address)" for _, each in credentials)
        for each in inspect_address(server.url, has_credential=sends or in_address):
            yield (*server.path, "url"), each
    for field in server.approved:
        message = f"`{field}`: tools of this server are run without asking"
        yield (*server.path, field), Suspicion("mcp/auto-approved", show_name(server.name), message)
    yield from _inspect_names(server)
    if server.entry is not None:
        yield from _inspect_lock(target, server)


def _inspect_credentials(server: ConfiguredServer) -> Iterator[_Placed]:
    for name, each in inspect_variables(server.env, "the variable"):
        yield (*server.path, "env", name), each
    for name, each in inspect_variables(server.headers, "the header"):
        yield (*server.path, "headers", name), each
    first = 0 if server.entry is not None else 1
    for place, each in find_in_arguments(server.command):
        field: Path = ("command", place) if first == 0 else ("args", place - first)
        yield (*server.path, *field), each
    if server.url is not None:
        found = find_in_address(server.url)
        if found is not None:
            yield (*server.path, "url"), found


def _inspect_names(server: ConfiguredServer) -> Iterator[_Placed]:
    name, shown = server.name, show_name(server.name)
    hidden = find_hidden_in([name, *server.command, server.url, server.env])
    if hidden is not None:
        yield server.path, Suspicion("mcp/hidden-text", shown, f"the server's entry has {hidden}")
    if imitates_ascii(name) or mixes_scripts(name):
        message = "the server's name has letters that look like others"
        yield server.path, Suspicion("mcp/homoglyph", shown, message)


def _inspect_lock(target: Target, server: ConfiguredServer) -> Iterator[_Placed]:
    entry, shown = server.entry, show_name(server.name)
    assert entry is not None and target.gateway is not None, "the file is the gateway's own"
    if entry.sandbox.provider == "process" and entry.command:
        message = "the server runs with the rights of the gateway"
        yield (*server.path, "sandbox"), Suspicion("mcp/uncontained", shown, message)
    if entry.pins is None:
        yield server.path, Suspicion("mcp/missing-lock", shown, "no lock is named")
        return
    trust = target.gateway.trust
    try:
        if trust is not None and not (target.folder / trust).is_file():
            raise UsageError("there is no such trust policy")
        policy = None if trust is None else load_trust(target.folder / trust)
        open_pins(entry, server.name, folder=target.folder, trust=policy)
    except VerilabelError as error:
        yield (*server.path, "pins"), Suspicion("mcp/broken-lock", shown, error.message)
    except OSError:
        yield (*server.path, "pins"), Suspicion("mcp/broken-lock", shown, "the lock cannot be read")


def _inspect_gateway(target: Target) -> Iterator[_Placed]:
    if target.gateway is None:
        settings = target.placed.value
        if isinstance(settings, dict) and settings.get(APPROVES_ALL) is True:
            message = f"`{APPROVES_ALL}`: servers that a project's file names are started without asking"
            yield (APPROVES_ALL,), Suspicion("mcp/auto-approved", APPROVES_ALL, message)
        return
    listen = target.gateway.listen
    if "*" in "".join(listen.allowed_hosts):
        message = "`allowed_hosts` has a wildcard"
        yield ("listen", "allowed_hosts"), Suspicion("mcp/wildcard-host", "allowed_hosts", message)
    if listen.transport == "http" and listen.auth == "none" and not is_loopback(listen.host):
        message = "it listens beyond loopback and asks nobody for a key"
        yield ("listen", "host"), Suspicion("mcp/wildcard-host", "host", message)
