"""One pass over files: batches of rows, accumulated here or on a cluster, and the gradient in a second pass."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from losslib import geometries
from losslib.cli.results import replacing
from losslib.cli.sources import Batch, Format, Reader, Source, aligned, count_rows, open_source
from losslib.errors import DomainError, ParameterError
from losslib.sums.accumulator import Accumulator, grad_of_batch
from losslib.sums.groups import Keys
from losslib.sums.pieces import cut_axes, in_whole, term_axes

__all__ = ["Job", "compute_on_cluster", "progress", "write_gradient"]

#: Rows of a batch for one column; more columns, fewer rows.
BATCH = 2**17

#: Rows of a task on a cluster.
PIECE = 2**21

#: Seconds to wait for a cluster to answer.
PATIENCE = 10

#: What the options of a call are named in the command.
OPTIONS = {"weight": "sample_weight", "where": "where", "by": "by"}


@dataclass
class Job:
    """Losses and the arrays they are computed on; small enough to be sent to a worker, which opens the files itself."""

    losses: list[Any]
    sources: dict[str, Source]
    batch_rows: int | None
    form: Format
    #: Known once the files are open, if one of them says it.
    rows: int | None = None
    #: Whether batches of rows add up to the whole; known once the files are open.
    cut: bool = True

    @property
    def shared(self) -> set[str]:
        """The inputs that all samples share: they have no rows of the data, and every batch takes them whole."""
        return {item.name for loss in self.losses for item in loss.info.inputs if item.shared}

    def open(self) -> list[Reader]:
        """Open the files of what has a row for each sample."""
        readers = self.readers(shared=False)
        axes = {role: count for reader in readers for role, count in reader.axes.items()}
        first = self.losses[0].info.input_names[0]
        whole = [loss for loss in self.losses if 0 not in cut_axes(loss, axes[first])]
        self.cut = not whole
        if self.cut:
            self.rows = count_rows(readers)
            self._check_mask(axes, first)
        elif self.batch_rows:
            raise ParameterError(
                f"--batch-rows: {whole[0].info.name} of an input with {_axes(axes[first])} cannot be cut between rows, "
                f"which are {geometries.find(whole[0].info.geometry).uncut}; leave the option out to read all at once"
            )
        return readers

    def readers(self, *, shared: bool) -> list[Reader]:
        """Open the files that the arrays of the samples, or those that samples share, are read from."""
        by_path: dict[str, list[Source]] = {}
        for role, source in self.sources.items():
            if (role in self.shared) == shared:
                by_path.setdefault(source.path, []).append(source)
        return [open_source(path, sources, self.form) for path, sources in by_path.items()]

    def _check_mask(self, axes: Mapping[str, int], first: str) -> None:
        """Raise where NumPy's rule would lay a mask along other axes than the rows."""
        for loss in self.losses if "where" in axes else ():
            terms = len(term_axes(loss, axes[first]))
            if axes["where"] < terms:
                raise ParameterError(
                    f"--where has {_axes(axes['where'])} and what {loss.info.name} adds up has {terms}: "
                    f"give it as many columns as {first}"
                )

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        """Yield the inputs and the options of a call, a batch at a time; at least one batch."""
        readers = self.open()
        inputs = self.losses[0].info.inputs
        always = {item.name: item.default for item in inputs if item.optional}
        always |= {role: array for reader in self.readers(shared=True) for role, array in whole(reader).items()}
        if self.cut:
            rows = self.batch_rows or max(1024, BATCH // max(1, sum(reader.width for reader in readers) // 4))
            stream = ahead(aligned(readers, rows, start, stop))
        else:
            stream = iter([{role: array for reader in readers for role, array in whole(reader).items()}])
        for batch in stream:
            found = always | batch
            yield (
                [found[item.name] for item in inputs],
                {OPTIONS[role]: batch[role] for role in OPTIONS if role in batch},
            )

    def accumulate(
        self, start: int = 0, stop: int | None = None, *, advance: Callable[[int], object] = lambda rows: None
    ) -> list[Accumulator]:
        """Return the accumulators of all losses over a range of rows."""
        totals = [Accumulator(loss) for loss in self.losses]
        done = start
        for inputs, options in self.batches(start, stop):
            with self.positions_from(done):
                for total in totals:
                    total.update(*inputs, **options)
            done += len(inputs[0])
            advance(len(inputs[0]))
        return totals

    @contextmanager
    def positions_from(self, row: int) -> Iterator[None]:
        """Make errors count rows from the start of the data, not of the batch."""
        try:
            yield
        except DomainError as error:
            names = {*self.losses[0].info.input_names, *OPTIONS.values()} - self.shared
            raise in_whole(error, dict.fromkeys(names, (row,))) from None


def _axes(count: int) -> str:
    return "one axis" if count == 1 else f"{count} axes"


def whole(reader: Reader) -> Batch:
    """Read everything at once."""
    parts = list(reader.stream(BATCH if reader.rows is None else max(1, reader.rows), 0, None))
    if len(parts) == 1:
        return parts[0]
    return {
        role: Keys.concatenate([part[role] for part in parts])
        if isinstance(first, Keys)
        else np.concatenate([part[role] for part in parts])
        for role, first in parts[0].items()
    }


def ahead(items: Iterator[Any]) -> Iterator[Any]:
    """Yield the items of an iterator that another thread runs, one item ahead: reading and computing overlap."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def offer(item: tuple[bool, Any]) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for item in items:
                offer((True, item))
                if stopped.is_set():
                    return
            offer((False, None))
        except BaseException as error:
            offer((False, error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if not more:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def write_gradient(job: Job, total: Accumulator, path: str, wrt: str | None, advance: Callable[[int], object]) -> None:
    """Write the gradient of the value over all rows, in a second pass over the data."""
    loss = job.losses[0]
    wrt = wrt or loss.info.differentiable[0]
    divisors = total.divisors()
    done = 0
    if wrt in job.shared:
        with replacing(path) as file:
            np.lib.format.write_array(file, add_gradients(job, divisors, wrt, advance))
        return
    with replacing(path) as file:
        for inputs, options in job.batches():
            with job.positions_from(done):
                if job.cut:
                    part = grad_of_batch(loss, divisors, inputs, options, wrt)
                else:
                    part = loss.grad(*inputs, **options, wrt=wrt)
            if not done:
                rows = job.rows if job.cut else len(part)
                if rows is None:  # a file that does not say
                    rows = sum(len(first) for (first, *_), _ in job.batches())
                header = {"shape": (rows, *part.shape[1:]), "fortran_order": False, "descr": part.dtype.str}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(part.tobytes())
            done += len(part)
            advance(len(part))


def add_gradients(job: Job, divisors: list[float], wrt: str, advance: Callable[[int], object]) -> np.ndarray:
    """Return the gradient by what all samples share: the sum of those of all batches."""
    loss, done = job.losses[0], 0
    total, part = np.zeros(()), np.zeros(())
    for inputs, options in job.batches():
        with job.positions_from(done):
            part = grad_of_batch(loss, divisors, inputs, options, wrt)
        total = total + part.astype(np.float64)
        done += len(inputs[0])
        advance(len(inputs[0]))
    return total.astype(part.dtype)


def compute_on_cluster(job: Job, address: str, show: bool) -> list[Accumulator]:
    """Compute pieces of the rows on the workers of a Dask cluster, and merge their accumulators."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ValueError("--dask needs distributed: pip install 'losslib-cpu[dask]'") from None
    for reader in job.open():
        if job.cut and not reader.seekable:
            raise ValueError(f"{reader.path}: only .npy, .parquet and .arrow files are cut into pieces for a cluster")
    ranges: list[tuple[int, int | None]] = [(0, None)]  # all on one worker, where rows cannot be cut
    if job.cut:
        assert job.rows is not None  # seekable files know their length
        ranges = [(start, min(start + PIECE, job.rows)) for start in range(0, job.rows, PIECE)]
    totals = [Accumulator(loss) for loss in job.losses]
    with Client(address, timeout=PATIENCE) as client, progress(job.rows, "computing", show) as advance:
        starts, stops = [start for start, _ in ranges], [stop for _, stop in ranges]
        pieces = client.map(accumulate_piece, [job] * len(ranges), starts, stops, pure=False)
        for _, (rows, parts) in as_completed(pieces, with_results=True):
            for total, part in zip(totals, parts, strict=True):
                total.merge(part)
            advance(rows)
    return totals


def accumulate_piece(job: Job, start: int, stop: int | None) -> tuple[int, list[Accumulator]]:
    """What a worker does: a range of rows, with one thread of losslib."""
    from losslib.adapters.dask import serial

    done: list[int] = []
    with serial():
        totals = job.accumulate(start, stop, advance=done.append)
    return sum(done), totals


@contextmanager
def progress(rows: int | None, word: str, show: bool) -> Iterator[Callable[[int], object]]:
    """Give a function that takes the number of rows done, and draws a bar on a terminal if tqdm is there."""
    if not show:
        yield lambda rows: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda rows: None
        return
    with tqdm(total=rows, desc=word, unit=" rows", unit_scale=True, leave=False, file=sys.stderr) as bar:
        yield bar.update
