"""Where the arrays of a command come from: ``FILE:column``, read in batches of rows so that memory stays bounded.

NumPy's files are read by NumPy; Parquet, Arrow and CSV by pyarrow. Files of different kinds may be combined: their
batches are cut to the same rows. A directory or a pattern of files is one source, read part after part.
"""

from __future__ import annotations

import fnmatch
import glob
import importlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from losslib.declaration.schema import closest

__all__ = [
    "COMPRESSIONS", "KINDS", "Batch", "Format", "Reader", "Source", "aligned", "choose", "count_rows", "files_of",
    "no_such", "open_source", "parse", "read_mask",
]  # fmt: skip

Batch = dict[str, Any]

#: Readers by the ending of a file: a module of this package and its class. Text may be compressed.
KINDS = {
    ".npy": ("numpy_files", "NumpyFile"),
    ".npz": ("numpy_files", "NumpyArchive"),
    ".parquet": ("tables", "ParquetFile"),
    ".pq": ("tables", "ParquetFile"),
    ".arrow": ("tables", "ArrowFile"),
    ".feather": ("tables", "ArrowFile"),
    ".ipc": ("tables", "ArrowFile"),
    ".csv": ("csv_files", "CsvFile"),
    ".tsv": ("csv_files", "CsvFile"),
    ".txt": ("csv_files", "CsvFile"),
}
TEXT = (".csv", ".tsv", ".txt")
COMPRESSIONS = (".gz", ".bz2", ".zst")

#: Words for true and false in columns of text.
WORDS = {"true": True, "t": True, "yes": True, "y": True, "1": True,
         "false": False, "f": False, "no": False, "n": False, "0": False}  # fmt: skip

#: What the libraries raise for damaged files, beside ValueError and OSError.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, LookupError, RuntimeError, MemoryError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One array of a command: its role, its file, and which part of the file it is."""

    role: str  # input, target, weight, by, ...
    path: str
    selector: str  # columns, fields, or the member of an .npz file; empty if the file holds one array
    #: True if it holds real numbers, even where the first rows of a text file look like integers.
    real: bool = False


@dataclass(frozen=True)
class Format:
    """How text files are written; None stands for what the ending of the file says."""

    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf8"
    #: Types of columns that their first rows do not show.
    types: dict[str, str] = field(default_factory=dict)


def parse(role: str, text: str, first: Source | None = None, *, real: bool = False) -> Source:
    """Read ``FILE``, ``FILE:column`` or ``:column``, a column of the file of the first source."""
    path, colon, selector = text.rpartition(":")
    if not colon or os.path.exists(text):
        path, selector = text, ""
    if not path:
        if first is None:
            raise ValueError(f"{role}: {text!r} names a column of the file of the first array; give the first a file")
        path = first.path
    if not os.path.exists(path) and not glob.glob(path, recursive=True):
        raise ValueError(f"{role}: {'no file matches' if glob.has_magic(path) else 'there is no file'} {path!r}")
    return Source(role, path, selector, real)


def kind_of(path: str) -> str:
    """Return the ending of a file; of compressed text, that of the text."""
    stem, ending = os.path.splitext(path.lower())
    inner = os.path.splitext(stem)[1]
    return inner if ending in COMPRESSIONS and inner in TEXT else ending


def files_of(path: str) -> list[str]:
    """Return the file itself, or the parts of a directory or pattern, in the order of the numbers in their names."""
    if os.path.isdir(path):
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if kind_of(name) in KINDS and not name.startswith((".", "_"))  # as Spark marks what is no part
        ]
        if not found:
            raise ValueError(f"{path}: a directory without files of a known kind; known are {', '.join(KINDS)}")
    elif os.path.exists(path):
        return [path]
    else:
        found = glob.glob(path, recursive=True)
    kinds = sorted({kind_of(name) for name in found})
    if len(kinds) > 1:
        raise ValueError(f"{path}: the parts are of several kinds ({', '.join(kinds)}); give a pattern of one kind")
    return sorted(found, key=numbered)


def numbered(name: str) -> list[Any]:
    """Return a key that sorts part-2 before part-10."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"([0-9]+)", name)]


def open_source(path: str, sources: Sequence[Source], form: Format) -> Reader:
    """Open a file, or all parts of a directory or pattern, for all arrays that come from it."""
    files = files_of(path)
    readers = [_open_file(file, sources, form) for file in files]
    return readers[0] if len(readers) == 1 else Parts(path, sources, readers)


def _open_file(path: str, sources: Sequence[Source], form: Format) -> Reader:
    kind = kind_of(path)
    if kind not in KINDS:
        raise ValueError(f"{path}: a file called {kind or 'without ending'} is not read; known are {', '.join(KINDS)}")
    module, name = KINDS[kind]
    reader: type[Reader] = getattr(importlib.import_module(f"losslib.cli.{module}"), name)
    with readable(path):
        return reader(path, sources, form)


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Turn whatever a damaged file makes a library raise into an error that names the file."""
    try:
        yield
    except (ValueError, OSError, *DAMAGE) as error:
        if path in str(error) and isinstance(error, ValueError | OSError):
            raise
        text = str(error) or type(error).__name__
        raise ValueError(f"{path}: {text}") from None


def aligned(readers: Sequence[Reader], rows: int, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
    """Yield batches of at most `rows` rows with the arrays of all readers, the same rows in each; at least one."""
    streams = [reader.stream(rows, start, stop) for reader in readers]
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
            if done == start and all(held):
                yield {role: array for batch in held for role, array in batch.items()}
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

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        self.path = path
        self.sources = sources
        self.form = form
        self.rows: int | None = None
        #: Numbers in a row, for the size of batches.
        self.width = 1
        #: The number of axes of each array.
        self.axes: dict[str, int] = {}

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        """Yield the rows from `start` to `stop` in batches of at most about `rows`; an empty one if there are none."""
        raise NotImplementedError

    def stream(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        """Yield the batches; what goes wrong names the file."""
        batches = self.batches(rows, start, stop)
        while True:
            with readable(self.path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class Parts(Reader):
    """Several files of one kind, one after the other."""

    def __init__(self, path: str, sources: Sequence[Source], readers: Sequence[Reader]) -> None:
        super().__init__(path, sources, readers[0].form)
        self.readers = readers
        self.seekable = all(reader.seekable for reader in readers)
        lengths = [reader.rows for reader in readers]
        self.rows = sum(filter(None, lengths)) if None not in lengths else None
        self.width = readers[0].width
        self.axes = readers[0].axes
        for reader in readers:
            if reader.axes != self.axes:
                raise ValueError(f"{path}: the arrays of {reader.path} have other axes than those of {readers[0].path}")

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        position = 0
        for reader in self.readers:
            if not self.seekable:  # such parts are read from end to end
                yield from reader.stream(rows, 0, None)
                continue
            length = reader.rows or 0
            first, last = max(0, start - position), length if stop is None else min(length, stop - position)
            position += length
            if first < last or self.rows == 0:
                yield from reader.stream(rows, first, last)


# ---- names of columns --------------------------------------------------------------------------------------------


def choose(source: Source, names: list[str], word: str) -> tuple[list[str], bool]:
    """Return the columns that a selector names, and whether it may name several: those are a further axis."""
    selector = source.selector or (names[0] if len(names) == 1 else "")
    chosen = [selector] if selector in names else []
    for pattern in [] if chosen else selector.split(","):
        matches = [pattern] if pattern in names else [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matches:
            raise ValueError(no_such(source, pattern, names, word))
        if len({re.sub("[0-9]+", "0", name) for name in matches}) == 1:  # p_0, p_1, p_10, p_2: classes by number
            matches.sort(key=numbered)
        chosen += matches
    for name in chosen:
        if names.count(name) > 1:
            raise ValueError(
                f"{source.role}: {source.path} has {names.count(name)} {word} called {name!r}; rename them"
            )
    return chosen, selector not in names


def no_such(source: Source, wanted: str, names: list[str], word: str) -> str:
    """Write that a file has no such column, with those that it has."""
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if not names:
        return f"{source.role}: {source.path} has no {word}"
    if not wanted:
        return f"{source.role}: {source.path} has {len(names)} {word} ({listed}); say which: {source.path}:{names[0]}"
    return f"{source.role}: {source.path} has no {wanted!r}{closest(wanted, names)}; its {word} are {listed}"


def read_mask(place: str, array: np.ndarray) -> np.ndarray:
    """Return a mask from booleans, zeros and ones, or words for them."""
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind in "iuf":
        good = (array == 0) | (array == 1)
        if good.all():
            return np.asarray(array == 1)
        wrong = array[~good].reshape(-1)[0].item()
    else:
        unique, codes = np.unique(array.astype(str), return_inverse=True)
        known = [WORDS.get(word.strip().lower()) for word in unique.tolist()]
        if None not in known:
            return np.array(known, bool)[codes].reshape(array.shape)
        wrong = unique[known.index(None)].item()
    raise ValueError(f"--where {place} holds {wrong!r}; expected true and false, 1 and 0, or yes and no")
