"""Every loss, called with whatever arrives: right answers or a refusal, and no byte written elsewhere.

``LOSSLIB_FUZZ_CALLS`` sets the number of calls (``make fuzz`` makes 20,000), ``LOSSLIB_FUZZ_SEED`` another sequence.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz import calls
from fuzz.arenas import LAYOUTS
from losslib import list_losses
from losslib._kernels import threads
from losslib.declaration.registry import info_of

CALLS = int(os.environ.get("LOSSLIB_FUZZ_CALLS", "1000"))
SEED = int(os.environ.get("LOSSLIB_FUZZ_SEED", "0"))
LOSSES = list_losses()
INPUTS = max(len(info.inputs) for info in LOSSES)


@pytest.fixture(autouse=True, scope="module")
def several_threads() -> Iterator[None]:
    """Share every call of more than one block among three threads."""
    threshold, width = threads.threshold(), threads.width()
    threads.set_threshold(0.0)
    threads.set_width(3)
    yield
    threads.set_threshold(threshold)
    threads.set_width(width)


#: What the calls of this run came to, by loss: answers and refusals.
answered: Counter[str] = Counter()
refused: Counter[str] = Counter()


@pytest.mark.filterwarnings("ignore:size_average and reduce are deprecated:DeprecationWarning")
@seed(SEED)
@settings(
    max_examples=CALLS, deadline=None, database=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
)  # fmt: skip
@given(
    loss=st.sampled_from([info.name for info in LOSSES]),
    mode=st.sampled_from(calls.MODES),
    bound=st.booleans(),
    layouts=st.lists(st.sampled_from((*LAYOUTS, "list")), min_size=INPUTS, max_size=INPUTS),
    mischief=st.lists(st.sampled_from(calls.MISCHIEF), max_size=2),
    number=st.integers(0, 2**64 - 1),
)
def test_a_call_answers_right_or_refuses_and_writes_nowhere_else(
    loss: str, mode: str, bound: bool, layouts: list[str], mischief: list[str], number: int
) -> None:
    with np.errstate(all="ignore"):
        call = calls.draw(number, mode, bound, layouts, mischief, info_of(loss))
        outcome = calls.examine(call)
    (answered if outcome.error is None else refused)[loss] += 1


def test_the_calls_reached_every_loss() -> None:
    """Calls that are all refused would prove nothing."""
    total = sum(answered.values()) + sum(refused.values())
    if total < 50 * len(LOSSES):
        pytest.skip(f"{total} calls are too few to expect an answer of each of {len(LOSSES)} losses")
    silent = [info.name for info in LOSSES if not answered[info.name]]
    assert silent == [], "never answered: their inputs are missing from tests/fuzz/arguments.py"
    assert sum(answered.values()) > total / 5
    print(f"{total} calls: {sum(answered.values())} answered, {sum(refused.values())} refused")
