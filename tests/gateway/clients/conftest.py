"""The gateway that all tests with real SDKs share; the provider behind it begins each test anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.clients.wired import Wired, wired_gateway
from servers.upstream import upstream_server


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with (
        upstream_server() as upstream,
        wired_gateway(tmp_path_factory.mktemp("clients"), upstream) as running,
    ):
        yield running


@pytest.fixture
def wired(shared_gateway: Wired) -> Wired:
    shared_gateway.upstream.reset()
    return shared_gateway
