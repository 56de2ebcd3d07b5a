"""A loss of arrays of 4 GB on two worker processes that may hold 1 GB each.

``python examples/dask_memory.py`` prints the value, the largest gradient and the peak memory of each worker, which it
reads from Linux; ``--gigabytes 0.5`` makes it smaller. Needs losslib-cpu[dask].
"""

from __future__ import annotations

import argparse
import time

import dask.array as da
from distributed import Client, LocalCluster

import losslib
from losslib.adapters import dask as losslib_dask


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1000 for line in file if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0, help="size of each of the two arrays")
    arguments = parser.parse_args()
    n = int(arguments.gigabytes * 1e9 / 8)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="1GB", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        rng = da.random.default_rng(0)
        input = rng.standard_normal(n, chunks=4_000_000)
        target = rng.standard_normal(n, chunks=4_000_000)
        print(f"input and target: {input.nbytes / 1e9:.1f} GB each, {input.npartitions} chunks")
        loss = losslib.HuberLoss(delta=1.0)
        start = time.perf_counter()
        print(f"huber loss        {losslib_dask.value(loss, input, target).compute():.6f}", end="")
        print(f"   {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        largest = abs(losslib_dask.grad(loss, input, target)).max().compute() * n
        print(f"largest gradient  {largest:.6f} / n   {time.perf_counter() - start:.1f} s")
        for address, memory in client.run(peak_memory).items():
            print(f"peak memory of {address}: {memory:.0f} MB")


if __name__ == "__main__":
    main()
