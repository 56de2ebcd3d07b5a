"""What several modules of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from losslib._kernels import threads as kernel_threads


@pytest.fixture
def always_parallel() -> Iterator[None]:
    """Give every call that can be split as many threads as are set, however small it is."""
    threshold, width = kernel_threads.threshold(), kernel_threads.width()
    kernel_threads.set_threshold(0.0)
    try:
        yield
    finally:
        kernel_threads.set_threshold(threshold)
        kernel_threads.set_width(width)
