"""NumPy's files: ``.npy``, with fields or without, and ``.npz``."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from losslib.cli.sources import Batch, Format, Reader, Source, choose, no_such, read_mask

__all__ = ["NumpyArchive", "NumpyFile"]


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
        if any(length < 0 for length in self.shape):
            raise ValueError(f"{name} is damaged: its header gives the shape {self.shape}")
        if fortran and len(self.shape) > 1:
            raise ValueError(
                f"{name} is stored by columns (Fortran order) and cannot be read by rows; save it with "
                f"numpy.save(file, numpy.ascontiguousarray(array))"
            )
        self.width = 1
        for length in self.shape[1:]:
            self.width *= length
        self.row_bytes = self.dtype.itemsize * self.width

    def read(self, name: str, stream: IO[bytes], rows: int) -> np.ndarray:
        data = stream.read(rows * self.row_bytes)
        if len(data) < rows * self.row_bytes:
            raise ValueError(f"{name} is cut off: its header promises {self.shape[0]} rows")
        array = np.frombuffer(data, self.dtype) if data else np.empty(0, self.dtype)
        return widen(array).reshape(rows, *self.shape[1:])


def widen(array: np.ndarray) -> np.ndarray:
    """Return bfloat16, which NumPy writes as two bytes without a meaning, in its own type or as float32."""
    if array.dtype.fields or array.dtype.kind != "V" or array.dtype.itemsize != 2:
        return array
    bits = array.view(np.uint16)
    try:
        import ml_dtypes
    except ImportError:
        return (bits.astype(np.uint32) << 16).view(np.float32)
    return bits.view(ml_dtypes.bfloat16)


def fit(role: str, place: str, array: np.ndarray) -> np.ndarray:
    """Return the array as its role has it."""
    return read_mask(place, array) if role == "where" else array


class NumpyFile(Reader):
    """A ``.npy`` file; the fields of a structured array are its columns."""

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        super().__init__(path, sources, form)
        with open(path, "rb") as stream:
            self._header = _Header(path, stream)
            self._offset = stream.tell()
            held = os.fstat(stream.fileno()).st_size - self._offset
        if held < self._header.shape[0] * self._header.row_bytes:
            raise ValueError(f"{path} is cut off: its header promises {self._header.shape[0]} rows")
        self._fields: dict[str, tuple[list[str], bool]] = {}
        for source in sources:
            if self._header.dtype.names is not None:
                self._fields[source.role] = choose(source, list(self._header.dtype.names), "fields")
            elif source.selector:
                raise ValueError(
                    f"{source.role}: {path} holds one array without a name; leave out ':{source.selector}'"
                )
            several = self._fields.get(source.role, ([], False))[1]
            self.axes[source.role] = len(self._header.shape) + several
        self.rows = self._header.shape[0]
        self.width = self._header.width

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        stop = self._header.shape[0] if stop is None else stop
        with open(self.path, "rb") as stream:
            stream.seek(self._offset + start * self._header.row_bytes)
            for first in range(start, max(stop, start + 1), rows):
                array = self._header.read(self.path, stream, min(rows, stop - first))
                yield {
                    source.role: fit(source.role, self.path, self._part(source.role, array)) for source in self.sources
                }

    def _part(self, role: str, array: np.ndarray) -> np.ndarray:
        if role not in self._fields:
            return array
        names, several = self._fields[role]
        parts = [widen(np.ascontiguousarray(array[name])) for name in names]
        return np.stack(parts, axis=-1) if several else parts[0]


class NumpyArchive(Reader):
    """A ``.npz`` file, compressed or not; its members are streams."""

    seekable = False

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        super().__init__(path, sources, form)
        self._members: dict[str, str] = {}
        self._headers: dict[str, _Header] = {}
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            for source in sources:
                wanted = source.selector or (names[0] if len(names) == 1 else "")
                if wanted not in names:
                    raise ValueError(no_such(source, wanted, names, "arrays"))
                self._members[source.role] = wanted
                with archive.open(f"{wanted}.npy") as stream:
                    self._headers[source.role] = _Header(f"{path}:{wanted}", stream)
        lengths = {self._members[role]: header.shape[0] for role, header in self._headers.items()}
        #: The rows, where all arrays have as many.
        self.rows = next(iter(lengths.values())) if len(set(lengths.values())) == 1 else None
        self.width = sum(header.width for header in self._headers.values())
        self.axes = {role: len(header.shape) for role, header in self._headers.items()}

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        whole = {role: header.shape[0] for role, header in self._headers.items()}
        if self.rows is None and rows < max(whole.values()):
            lengths = {self._members[role]: length for role, length in whole.items()}
            raise ValueError(f"arrays of {self.path} differ in length: {lengths}")
        with zipfile.ZipFile(self.path) as archive:
            streams: dict[str, Any] = {role: archive.open(f"{member}.npy") for role, member in self._members.items()}
            for role, stream in streams.items():
                _Header(f"{self.path}:{self._members[role]}", stream)
            for first in range(0, max(1, *whole.values()), rows):
                found = {}
                for role, stream in streams.items():
                    place = f"{self.path}:{self._members[role]}"
                    array = self._headers[role].read(place, stream, min(rows, whole[role] - first))
                    found[role] = fit(role, place, array)
                yield found
