"""On Ray: the same root as on one machine, with one node, and with two of which one dies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit_corpora import write_corpus
from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.interface import Executor, MapTask, Report, Task
from verilabel.audit.engine.local import LocalExecutor
from verilabel.audit.engine.ray_cluster import RayExecutor
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.commitments import Secret, save_secret
from verilabel.audit.settings import AuditSettings, CanarySettings, SamplingSettings
from verilabel.errors import UsageError

ray = pytest.importorskip("ray")
SETTINGS = AuditSettings(
    checks=("pii", "duplicates"),
    sampling=SamplingSettings(documents=0),
    canaries=CanarySettings(per_format=3),
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus, and a secret."""
    folder = tmp_path_factory.mktemp("given")
    save_secret(Secret(bytes(32)), folder / "secret")
    return write_corpus(folder / "texts", files=8, documents=40), folder / "secret"


def _audit(executor: Executor, given: tuple[Path, Path], out: Path) -> str:
    async def go() -> str:
        try:
            ordered = Ordered((str(given[0]),), SETTINGS, out, given[1])
            return (await audit(ordered, executor, Watch(), None)).root.sha256
        finally:
            await executor.close()

    return asyncio.run(go())


@pytest.fixture(scope="module")
def root(given: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return _audit(LocalExecutor(1), given, tmp_path_factory.mktemp("local") / "run.audit")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of Ray's own making on this machine: a head that takes no tasks, and two nodes of one core."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.victim = made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()


class _NodeKiller:
    """An executor whose first finished shard costs the cluster a node."""

    def __init__(self, executor: RayExecutor, cluster: Any) -> None:
        self._executor, self._cluster = executor, cluster
        self.name = executor.name

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        async for answer in self._executor.run(work, tasks, report):
            yield answer
            if self._cluster.victim is not None and isinstance(tasks[0], MapTask):
                self._cluster.remove_node(self._cluster.victim, allow_graceful=False)
                self._cluster.victim = None

    async def close(self) -> None:
        await self._executor.close()


def test_ray_on_this_machine_gives_the_same_root(given: tuple[Path, Path], root: str, tmp_path: Path) -> None:
    assert root == _audit(RayExecutor(None, 1), given, tmp_path / "run.audit")


def test_two_nodes_of_which_one_is_killed_give_the_same_root(
    given: tuple[Path, Path], root: str, cluster: Any, tmp_path: Path
) -> None:
    executor = RayExecutor(cluster.address, None)
    assert root == _audit(_NodeKiller(executor, cluster), given, tmp_path / "run.audit")
    assert cluster.victim is None


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        RayExecutor("127.0.0.1:1", 1)
    assert "127.0.0.1:1" in str(refused.value)
