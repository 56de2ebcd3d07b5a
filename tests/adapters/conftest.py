"""Settings that the peers read before their first import, and the data of the boosters."""

from __future__ import annotations

import os

import pytest

from adapters import training_data

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the same trees on every machine


@pytest.fixture(scope="session")
def data() -> training_data.Data:
    return training_data.make()
