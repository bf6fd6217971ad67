"""Probes of the network: listeners that were planted outside, and kinds of sockets."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from .answers import Answer, Config, came_through, failed, number_of, probe, refused, stopped, text_of

TIMEOUT_S = 1.0
NO_SUCH_TYPE = 15
"""A type of socket that there is none of: the kernel refuses it before it loads a module for the family."""
_DNS_QUERY = struct.pack("!6H", 0x5652, 0x0100, 1, 0, 0, 0) + b"\x07invalid\x00" + struct.pack("!2H", 1, 1)


def _greeted(family: int, address: object, config: Config, kind: int = socket.SOCK_STREAM) -> Answer:
    """Connect to a planted listener, which greets with a secret."""
    try:
        with socket.socket(family, kind) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_DGRAM:
                client.send(b"probe")
            found = client.recv(1000).decode("utf-8", "replace")
    except OSError as error:
        return stopped("no answer") if isinstance(error, TimeoutError) else refused(error)
    greeting = text_of(config, "greeting")
    return (
        came_through("the host's listener answered")
        if greeting in found
        else stopped("something else answers")
    )


@probe("network.loopback", "connects to a listener on the host's loopback")
def loopback(config: Config) -> Answer:
    return _greeted(socket.AF_INET, ("127.0.0.1", number_of(config, "tcp_port")), config)


@probe("network.loopback-6", "connects to a listener on the host's loopback (IPv6)")
def loopback_6(config: Config) -> Answer:
    port = number_of(config, "tcp6_port")
    return _greeted(socket.AF_INET6, ("::1", port), config) if port else stopped("the host has no IPv6")


@probe("network.datagrams", "exchanges datagrams with the host's loopback")
def datagrams(config: Config) -> Answer:
    address = ("127.0.0.1", number_of(config, "udp_port"))
    return _greeted(socket.AF_INET, address, config, socket.SOCK_DGRAM)


@probe("network.abstract-socket", "connects to a listener of the host by an abstract name")
def abstract_socket(config: Config) -> Answer:
    return _greeted(socket.AF_UNIX, "\0" + text_of(config, "abstract_name"), config)


@probe("network.path-socket", "connects to a listener of the host by its path")
def path_socket(config: Config) -> Answer:
    return _greeted(socket.AF_UNIX, text_of(config, "socket_path"), config)


@probe("network.desktop-sockets", "connects to a desktop or a message bus of the host")
def desktop_sockets(_: Config) -> Answer:
    user = f"/run/user/{os.getuid()}"
    names = (
        "\0/tmp/.X11-unix/X0",
        "/tmp/.X11-unix/X0",  # noqa: S108
        f"{user}/bus",
        f"{user}/wayland-0",
        "/run/dbus/system_bus_socket",
        "/run/systemd/private",
        "/run/systemd/journal/socket",
    )
    for name in names:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(socket.AF_UNIX, kind) as client:
                    client.settimeout(TIMEOUT_S)
                    client.connect(name)
            except OSError:
                continue
            return came_through(name.strip("\0"))
    return stopped("none is there")


@probe("network.interfaces", "finds a network interface beside loopback")
def interfaces(_: Config) -> Answer:
    try:
        lines = Path("/proc/net/dev").read_text(encoding="ascii", errors="replace").splitlines()[2:]
    except OSError as error:
        return refused(error)
    names = [line.split(":")[0].strip() for line in lines]
    others = [name for name in names if name != "lo"]
    return came_through(f"{len(others)} interfaces") if others else stopped("none")


def _route(family: int, address: tuple[object, ...]) -> Answer:
    """Connecting a datagram socket sends nothing, and fails where no route leads there."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.connect(address)
    except OSError as error:
        return refused(error)
    return came_through("a route leads there")


@probe("network.route", "has a route to other machines")
def route(_: Config) -> Answer:
    return _route(socket.AF_INET, ("192.0.2.1", 9))


@probe("network.route-6", "has a route to other machines (IPv6)")
def route_6(_: Config) -> Answer:
    return _route(socket.AF_INET6, ("2001:db8::1", 9))


@probe("network.metadata-route", "has a route to a cloud's metadata service")
def metadata_route(_: Config) -> Answer:
    return _route(socket.AF_INET, ("169.254.169.254", 80))


@probe("network.names", "gets an answer from the host's name server")
def names(config: Config) -> Answer:
    server = text_of(config, "name_server")
    if not server:
        return stopped("the host has none")
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(TIMEOUT_S)
            client.connect((server, 53))
            client.send(_DNS_QUERY)
            client.recv(512)
    except OSError as error:
        return stopped("no answer") if isinstance(error, TimeoutError) else refused(error)
    return came_through("it answered")


@probe("network.raw", "opens a raw socket")
def raw(_: Config) -> Answer:
    return _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@probe("network.packets", "opens a socket that sees every packet")
def packets(_: Config) -> Answer:
    return _open(socket.AF_PACKET, socket.SOCK_RAW, 0)


def _open(family: int, kind: int, protocol: int) -> Answer:
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return refused(error)
    return came_through("it was opened")


def _family(number: int) -> Answer:
    """Whether sockets of a family can be asked for at all; nothing is opened and no module loaded."""
    import errno

    try:
        socket.socket(number, NO_SUCH_TYPE, 0).close()
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ESOCKTNOSUPPORT):
            return came_through("the kernel looked at it")
        return refused(error)
    return failed("a socket of a type that there is none of")


@probe("network.machine-sockets", "may ask for sockets between virtual machines (vsock)", by="seccomp")
def machine_sockets(_: Config) -> Answer:
    return _family(40)


@probe("network.kernel-messages", "may ask for netlink sockets", by="seccomp")
def netlink(_: Config) -> Answer:
    return _family(16)


@probe("network.kernel-ciphers", "may ask for sockets to the kernel's ciphers", by="seccomp")
def ciphers(_: Config) -> Answer:
    return _family(38)


@probe("network.rare-families", "may ask for sockets of rarely used families", by="seccomp")
def rare_families(_: Config) -> Answer:
    numbers = [n for n in range(3, 46) if n not in (10, 16, 17, 38, 40)]
    found = [str(n) for n in numbers if _family(n).result == "open"]
    return came_through(f"families {' '.join(found)}") if found else stopped(f"{len(numbers)} families")
