"""Clusters of two worker processes, for the tests that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import LocalCluster


def start(memory: str) -> LocalCluster:
    return LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, memory_limit=memory, dashboard_address=None, silence_logs=40
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with start("1GB") as running:
        yield running


@pytest.fixture
def cluster_of_small_memory() -> Iterator[LocalCluster]:
    with start("400MB") as running:
        yield running
