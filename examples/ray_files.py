"""A loss over files on a Ray cluster: a task a file, merged as they come.

    python examples/ray_files.py part-0.npz part-1.npz ...

Each file holds two arrays, ``prediction`` and ``target``. The result has the same bits for any number of machines and
in whatever order the tasks end. Needs Ray: ``pip install ray``.
"""

from __future__ import annotations

import sys

import numpy as np
import ray

import losslib


@ray.remote(num_cpus=1)
def accumulate(path: str) -> losslib.Accumulator:
    """Return the accumulated loss of one file."""
    total = losslib.Accumulator("huber")
    with np.load(path) as data, losslib.threads(1):  # one, as Ray counts this task
        total.update(data["prediction"], data["target"])
    return total


def over_files(paths: list[str]) -> losslib.Accumulator:
    """Accumulate the loss over files, holding no more than one result that was not merged yet."""
    total = losslib.Accumulator("huber")
    waiting = [accumulate.remote(path) for path in paths]
    while waiting:
        done, waiting = ray.wait(waiting)
        total.merge(ray.get(done[0]))
    return total


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    print(over_files(sys.argv[1:]).result())
    ray.shutdown()
