"""Files with named columns, read by pyarrow: Parquet and Arrow, and what they share with CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from losslib.cli.sources import Batch, Format, Reader, Source, choose, read_mask
from losslib.sums.groups import Keys, join, read_keys

__all__ = ["ArrowFile", "ParquetFile", "Table", "pyarrow_for"]


def pyarrow_for(path: str) -> Any:
    """Import pyarrow, which is optional, for a file."""
    try:
        import pyarrow
    except ImportError:
        raise ValueError(f"{path}: this kind of file needs pyarrow: pip install 'losslib-cpu[cli]'") from None
    return pyarrow


class Table(Reader):
    """A file with named columns."""

    def choose_columns(self, schema: Any) -> None:
        """Find the columns of every source; several, or a pattern, give an array of two axes."""
        types = pyarrow_for(self.path).types
        self._columns: dict[str, tuple[list[str], bool]] = {}
        self._lengths: dict[str, int] = {}  # of the lists in a column
        for source in self.sources:
            names, several = choose(source, schema.names, "columns")
            self._columns[source.role] = (names, several)
            kind = schema.field(names[0]).type
            axes = 1 + several
            while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
                kind, axes = kind.value_type, axes + 1
            self.axes[source.role] = axes
            for name in names if source.role == "by" else ():
                if types.is_nested(schema.field(name).type):
                    raise ValueError(
                        f"by: column {name!r} of {self.path} holds {schema.field(name).type}; "
                        f"expected numbers, strings or dates as groups"
                    )
        if "by" in self.axes:  # several columns make keys of several parts
            self.axes["by"] = 1
        self.wanted = list(dict.fromkeys(name for columns, _ in self._columns.values() for name in columns))
        self.width = len(self.wanted)

    def arrays(self, batch: Any) -> Batch:
        """Turn the columns of a record batch into arrays, without a copy where they are single."""
        found: Batch = {}
        for role, (names, several) in self._columns.items():
            columns = [batch.column(name) for name in names]
            if role == "by":
                keys = [self._keys(name, column) for name, column in zip(names, columns, strict=True)]
                found[role] = join(keys) if len(keys) > 1 else keys[0]
                continue
            read = self._mask if role == "where" else self._numbers
            parts = [read(name, column) for name, column in zip(names, columns, strict=True)]
            found[role] = np.stack(parts, axis=1) if several else parts[0]
        return found

    def empty(self, schema: Any) -> Batch:
        """Return the arrays of no rows."""
        pyarrow = pyarrow_for(self.path)
        fields = [schema.field(name) for name in self.wanted]
        columns = [pyarrow.array([], item.type) for item in fields]
        return self.arrays(pyarrow.record_batch(columns, pyarrow.schema(fields)))

    def _keys(self, name: str, column: Any) -> Keys:
        pyarrow = pyarrow_for(self.path)
        try:
            encoded = column.dictionary_encode()
        except (pyarrow.ArrowException, TypeError):
            raise ValueError(
                f"by: column {name!r} of {self.path} holds {column.type}; expected numbers, strings or dates as groups"
            ) from None
        if pyarrow.types.is_string(column.type) or pyarrow.types.is_binary(column.type):
            words = [decode(word) for word in encoded.dictionary.cast(pyarrow.binary()).to_pylist()]
            codes, keys = read_keys(pyarrow.DictionaryArray.from_arrays(encoded.indices, pyarrow.array(words)))
        else:
            codes, keys = read_keys(encoded)
        return Keys(codes, keys)

    def _mask(self, name: str, column: Any) -> np.ndarray:
        pyarrow = pyarrow_for(self.path)
        types = pyarrow.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if not (types.is_string(column.type) or types.is_large_string(column.type)):
            return read_mask(f"{self.path}:{name}", self._numbers(name, column))
        self._refuse_nulls(name, column)
        encoded = column.dictionary_encode()
        words = np.array(encoded.dictionary.to_pylist(), str)
        mask: np.ndarray = read_mask(f"{self.path}:{name}", words)[np.from_dlpack(encoded.indices)]
        return mask

    def _refuse_nulls(self, name: str, column: Any) -> None:
        if column.null_count and len(column):
            raise ValueError(
                f"{self.path}: column {name!r} has nulls; drop these rows or fill them, and to leave filled rows out "
                f"give --where a boolean column that is false there"
            )

    def _numbers(self, name: str, column: Any) -> np.ndarray:
        pyarrow = pyarrow_for(self.path)
        types = pyarrow.types
        self._refuse_nulls(name, column)
        if types.is_fixed_size_list(column.type):
            return self._numbers(name, column.flatten()).reshape(len(column), column.type.list_size)
        if types.is_list(column.type) or types.is_large_list(column.type):
            return self._lists(name, column)
        if types.is_dictionary(column.type):
            return self._numbers(name, column.dictionary_decode())
        if types.is_decimal(column.type) or (types.is_null(column.type) and not len(column)):
            column = column.cast(pyarrow.float64())
        if types.is_floating(column.type) or types.is_integer(column.type):
            return np.from_dlpack(column)  # its to_numpy imports pandas, a quarter of a second
        if types.is_boolean(column.type):
            return np.asarray(column)
        raise ValueError(f"{self.path}: column {name!r} holds {column.type}; expected numbers")

    def _lists(self, name: str, column: Any) -> np.ndarray:
        """Return lists of one length, such as embeddings, as rows."""
        lengths = np.diff(np.from_dlpack(column.offsets))
        expected = self._lengths.setdefault(name, int(lengths[0])) if len(lengths) else self._lengths.get(name, 0)
        if (lengths != expected).any():
            other = int(lengths[lengths != expected][0])
            raise ValueError(
                f"{self.path}: column {name!r} holds lists of {expected} and of {other} numbers; expected one length"
            )
        values = self._numbers(name, column.flatten())
        return values.reshape(len(column), expected, *values.shape[1:])


def decode(word: bytes | None) -> str | None:
    """Return text from UTF-8, or else from Latin-1, which has a letter for every byte."""
    if word is None:
        return None
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word.decode("latin-1")


def cut(batch: Any, position: int, start: int, stop: int | None) -> Any:
    """Return the rows of a record batch, which begins at `position`, that lie between start and stop."""
    first = max(0, start - position)
    last = len(batch) if stop is None else min(len(batch), stop - position)
    return batch.slice(first, last - first) if last > first else None


class ParquetFile(Table):
    """A Parquet file, read page by page: row groups of any size stay outside memory."""

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        super().__init__(path, sources, form)
        pyarrow_for(path)
        with self._open() as file:
            self._schema = file.schema_arrow
            self.choose_columns(self._schema)
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
        if not self.rows:
            yield self.empty(self._schema)
        with self._open() as file:
            for batch in file.iter_batches(batch_size=rows, row_groups=groups, columns=self.wanted, use_threads=True):
                part = cut(batch, position, start, stop)
                position += len(batch)
                if part is not None:
                    yield self.arrays(part)


class ArrowFile(Table):
    """An Arrow IPC file (Feather version 2), mapped into memory."""

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        super().__init__(path, sources, form)
        pyarrow = pyarrow_for(path)
        with pyarrow.memory_map(path) as file, pyarrow.ipc.open_file(file) as reader:
            self.choose_columns(reader.schema)
            self.rows = sum(len(reader.get_batch(k)) for k in range(reader.num_record_batches))

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        pyarrow = pyarrow_for(self.path)
        position = 0
        with pyarrow.memory_map(self.path) as file, pyarrow.ipc.open_file(file) as reader:
            if not self.rows:
                yield self.empty(reader.schema)
            for k in range(reader.num_record_batches):
                batch = reader.get_batch(k)
                part = cut(batch, position, start, stop)
                position += len(batch)
                for first in range(0, 0 if part is None else len(part), rows):
                    yield self.arrays(part.slice(first, rows))
