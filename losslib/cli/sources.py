"""Where the arrays of a command come from: ``FILE:column``, read in batches of rows so that memory stays bounded.

NumPy's files are read by NumPy; Parquet, Arrow and CSV by pyarrow. Files of different kinds may be combined: their
batches are cut to the same rows.
"""

from __future__ import annotations

import fnmatch
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from losslib.declaration.schema import closest

__all__ = ["Source", "aligned", "count_rows", "open_source", "parse"]

Batch = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One array of a command: its role, its file, and which part of the file it is."""

    role: str  # input, target, weight, by, ...
    path: str
    selector: str  # columns, or the member of an .npz file; empty if the file holds one array

    @property
    def text(self) -> str:
        return f"{self.path}:{self.selector}" if self.selector else self.path


def parse(role: str, text: str, first: Source | None = None) -> Source:
    """Read ``FILE``, ``FILE:column`` or ``:column``, a column of the file of the first source."""
    path, colon, selector = text.rpartition(":")
    if not colon or os.path.exists(text):
        path, selector = text, ""
    if not path:
        if first is None:
            raise ValueError(f"{role}: {text!r} names a column of the file of the first array; give the first a file")
        path = first.path
    if not os.path.exists(path):
        raise ValueError(f"{role}: there is no file {path!r}")
    return Source(role, path, selector)


def open_source(path: str, sources: Sequence[Source]) -> Reader:
    """Open a file for all arrays that come from it."""
    kind = os.path.splitext(path)[1].lower()
    readers: dict[str, type[Reader]] = {
        ".npy": NumpyFile, ".npz": NumpyArchive, ".parquet": ParquetFile, ".pq": ParquetFile, ".csv": CsvFile,
        ".arrow": ArrowFile, ".feather": ArrowFile, ".ipc": ArrowFile,
    }  # fmt: skip
    if kind not in readers:
        raise ValueError(
            f"{path}: a file called {kind or 'without ending'} is not read; known are {', '.join(readers)}"
        )
    try:
        return readers[kind](path, sources)
    except (ValueError, OSError) as error:
        if path in str(error):
            raise
        raise ValueError(f"{path}: {error}") from None


def aligned(readers: Sequence[Reader], rows: int, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
    """Yield batches of at most `rows` rows with the arrays of all readers, the same rows in each."""
    streams = [reader.batches(rows, start, stop) for reader in readers]
    held: list[Batch] = [{} for _ in readers]
    lengths = [0] * len(readers)
    done = start
    while True:
        for k, stream in enumerate(streams):
            while lengths[k] == 0:
                batch = next(stream, None)
                if batch is None:
                    break
                held[k], lengths[k] = batch, len(next(iter(batch.values())))
        if not all(lengths):
            if any(lengths):
                short, longer = lengths.index(0), max(range(len(readers)), key=lengths.__getitem__)
                raise ValueError(f"{readers[short].path} ends after {done} rows, {readers[longer].path} has more")
            return
        n = min(lengths)
        yield {role: array[:n] for batch in held for role, array in batch.items()}
        held = [{role: array[n:] for role, array in batch.items()} for batch in held]
        lengths = [length - n for length in lengths]
        done += n


def count_rows(readers: Sequence[Reader]) -> int | None:
    """Return the number of rows, None if no file says it beforehand."""
    known = {reader.path: reader.rows for reader in readers if reader.rows is not None}
    if len(set(known.values())) > 1:
        raise ValueError(
            "the files differ in length: " + ", ".join(f"{path} {rows} rows" for path, rows in known.items())
        )
    return next(iter(known.values()), None)


class Reader:
    """A file and the arrays wanted from it."""

    #: Whether a range of rows can be read without all rows before it.
    seekable = True

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        self.path = path
        self.sources = sources
        self.rows: int | None = None
        #: Numbers in a row, for the size of batches.
        self.width = 1

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        """Yield the rows from `start` to `stop` in batches of at most about `rows`."""
        raise NotImplementedError


# ---- NumPy -------------------------------------------------------------------------------------------------------


class _Header:
    """Shape and type of an array in NumPy's format, and how to read rows from the stream behind the header."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        try:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, fortran, self.dtype = read(stream)
        except ValueError as error:
            raise ValueError(f"{name} is not in NumPy's format: {error}") from None
        if self.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects; save it as an array of numbers")
        if not self.shape:
            raise ValueError(f"{name} holds a single number; expected an array")
        if fortran and len(self.shape) > 1:
            raise ValueError(
                f"{name} is stored by columns (Fortran order) and cannot be read by rows; save it with "
                f"numpy.save(file, numpy.ascontiguousarray(array))"
            )
        self.row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    def read(self, name: str, stream: IO[bytes], rows: int) -> np.ndarray:
        data = stream.read(rows * self.row_bytes)
        if len(data) < rows * self.row_bytes:
            raise ValueError(f"{name} is cut off: its header promises {self.shape[0]} rows")
        return np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])


class NumpyFile(Reader):
    """A ``.npy`` file."""

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        super().__init__(path, sources)
        for source in sources:
            if source.selector:
                raise ValueError(
                    f"{source.role}: {path} holds one array without a name; leave out ':{source.selector}'"
                )
        with open(path, "rb") as stream:
            self._header = _Header(path, stream)
            self._offset = stream.tell()
        self.rows = self._header.shape[0]
        self.width = int(np.prod(self._header.shape[1:], dtype=np.int64))

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        stop = self._header.shape[0] if stop is None else stop
        with open(self.path, "rb") as stream:
            stream.seek(self._offset + start * self._header.row_bytes)
            for first in range(start, stop, rows):
                array = self._header.read(self.path, stream, min(rows, stop - first))
                yield {source.role: array for source in self.sources}


class NumpyArchive(Reader):
    """A ``.npz`` file, compressed or not; its members are streams."""

    seekable = False

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        super().__init__(path, sources)
        self._members: dict[str, str] = {}
        self._headers: dict[str, _Header] = {}
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            for source in sources:
                wanted = source.selector or (names[0] if len(names) == 1 else "")
                if wanted not in names:
                    raise ValueError(_no_such(source, wanted, names, "arrays"))
                self._members[source.role] = wanted
                with archive.open(f"{wanted}.npy") as stream:
                    self._headers[source.role] = _Header(f"{path}:{wanted}", stream)
        lengths = {self._members[role]: header.shape[0] for role, header in self._headers.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"arrays of {path} differ in length: {lengths}")
        self.rows = next(iter(lengths.values()))
        self.width = sum(int(np.prod(header.shape[1:], dtype=np.int64)) for header in self._headers.values())

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        total = next(iter(self._headers.values())).shape[0]
        with zipfile.ZipFile(self.path) as archive:
            streams = {role: archive.open(f"{member}.npy") for role, member in self._members.items()}
            for role, stream in streams.items():
                _Header(f"{self.path}:{self._members[role]}", stream)
            for first in range(0, total, rows):
                n = min(rows, total - first)
                yield {
                    role: self._headers[role].read(f"{self.path}:{self._members[role]}", stream, n)
                    for role, stream in streams.items()
                }


# ---- pyarrow -----------------------------------------------------------------------------------------------------


def _pyarrow(path: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ValueError(f"{path}: this kind of file needs pyarrow: pip install 'losslib-cpu[cli]'") from None
    return pyarrow


class _Table(Reader):
    """A file with named columns."""

    def _choose(self, names: list[str]) -> None:
        """Find the columns of every source; several, or a pattern, give an array of two axes."""
        self._columns: dict[str, tuple[list[str], bool]] = {}
        for source in self.sources:
            selector = source.selector or (names[0] if len(names) == 1 else "")
            if selector in names:
                self._columns[source.role] = ([selector], False)
                continue
            chosen: list[str] = []
            for pattern in selector.split(","):
                matches = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
                if not matches:
                    raise ValueError(_no_such(source, pattern, names, "columns"))
                chosen += matches
            self._columns[source.role] = (chosen, True)
        self.wanted = list(dict.fromkeys(name for columns, _ in self._columns.values() for name in columns))
        self.width = len(self.wanted)

    def _arrays(self, batch: Any) -> Batch:
        """Turn the columns of a record batch into arrays, without a copy where they are single."""
        found: Batch = {}
        for role, (columns, several) in self._columns.items():
            if role == "by":
                found[role] = batch.column(columns[0]).dictionary_encode()
            elif several:
                found[role] = np.stack([self._numbers(name, batch.column(name)) for name in columns], axis=1)
            else:
                found[role] = self._numbers(columns[0], batch.column(columns[0]))
        return found

    def _numbers(self, name: str, column: Any) -> np.ndarray:
        types = _pyarrow(self.path).types
        if column.null_count:
            raise ValueError(
                f"{self.path}: column {name!r} has nulls; drop these rows or fill them, and to leave filled rows out "
                f"give --where a boolean column that is false there"
            )
        if types.is_fixed_size_list(column.type):
            return self._numbers(name, column.flatten()).reshape(len(column), column.type.list_size)
        if types.is_floating(column.type) or types.is_integer(column.type):
            return np.from_dlpack(column)  # its to_numpy imports pandas, a quarter of a second
        if types.is_boolean(column.type):
            return np.asarray(column)
        raise ValueError(f"{self.path}: column {name!r} holds {column.type}; expected numbers")


def _no_such(source: Source, wanted: str, names: list[str], word: str) -> str:
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if not wanted:
        return f"{source.role}: {source.path} has {len(names)} {word} ({listed}); say which: {source.path}:{names[0]}"
    return f"{source.role}: {source.path} has no {wanted!r}{closest(wanted, names)}; its {word} are {listed}"


def _cut(batch: Any, position: int, start: int, stop: int | None) -> Any:
    """Return the rows of a record batch, which begins at `position`, that lie between start and stop."""
    first = max(0, start - position)
    last = len(batch) if stop is None else min(len(batch), stop - position)
    return batch.slice(first, last - first) if last > first else None


class ParquetFile(_Table):
    """A Parquet file, read page by page: row groups of any size stay outside memory."""

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        super().__init__(path, sources)
        _pyarrow(path)
        with self._open() as file:
            self._choose(file.schema_arrow.names)
            self.rows = file.metadata.num_rows
            self.row_groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]

    def _open(self) -> Any:
        import pyarrow.parquet as parquet

        return parquet.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        groups, position, skipped = [], 0, 0
        for k, length in enumerate(self.row_groups):
            if position + length <= start:
                skipped = position + length
            elif stop is None or position < stop:
                groups.append(k)
            position += length
        position = skipped
        with self._open() as file:
            for batch in file.iter_batches(batch_size=rows, row_groups=groups, columns=self.wanted, use_threads=True):
                part = _cut(batch, position, start, stop)
                position += len(batch)
                if part is not None:
                    yield self._arrays(part)


class ArrowFile(_Table):
    """An Arrow IPC file (Feather version 2), mapped into memory."""

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        super().__init__(path, sources)
        pyarrow = _pyarrow(path)
        with pyarrow.memory_map(path) as file, pyarrow.ipc.open_file(file) as reader:
            self._choose(reader.schema.names)
            self.rows = sum(len(reader.get_batch(k)) for k in range(reader.num_record_batches))

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        pyarrow = _pyarrow(self.path)
        position = 0
        with pyarrow.memory_map(self.path) as file, pyarrow.ipc.open_file(file) as reader:
            for k in range(reader.num_record_batches):
                batch = reader.get_batch(k)
                part = _cut(batch, position, start, stop)
                position += len(batch)
                for first in range(0, 0 if part is None else len(part), rows):
                    yield self._arrays(part.slice(first, rows))


class CsvFile(_Table):
    """A CSV file with a header line."""

    seekable = False

    def __init__(self, path: str, sources: Sequence[Source]) -> None:
        super().__init__(path, sources)
        _pyarrow(path)
        with self._open(None) as reader:
            self._choose(reader.schema.names)

    def _open(self, columns: list[str] | None) -> Any:
        from pyarrow import csv, float64

        # Predictions and weights may begin with whole numbers; what a class index is, only the file can say.
        numbers = [] if columns is None else self._columns_of_numbers()
        return csv.open_csv(
            self.path,
            read_options=csv.ReadOptions(block_size=4 << 20),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(numbers, float64()), strings_can_be_null=True
            ),
        )

    def _columns_of_numbers(self) -> list[str]:
        roles = [role for role in self._columns if role not in ("by", "where") and not role.startswith("target")]
        return [name for role in roles for name in self._columns[role][0]]

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        with self._open(self.wanted) as reader:
            for batch in reader:
                for first in range(0, len(batch), rows):
                    yield self._arrays(batch.slice(first, rows))
