"""Text files with a header line: CSV and its kin, compressed or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from losslib.cli.sources import Batch, Format, Source, kind_of
from losslib.cli.tables import Table, pyarrow_for

__all__ = ["TYPES", "CsvFile"]

#: What --types takes, and the name of the type in Arrow.
TYPES = {"float": "float64", "int": "int64", "string": "string", "bool": "bool_"}

#: Bytes whose rows say what the columns hold.
BLOCK = 4 << 20

#: Characters that separate columns in the wild.
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": ","}


class CsvFile(Table):
    """A text file with a header line."""

    seekable = False

    def __init__(self, path: str, sources: Sequence[Source], form: Format) -> None:
        super().__init__(path, sources, form)
        pyarrow_for(path)
        self.delimiter = form.delimiter or ("\t" if kind_of(path) == ".tsv" else ",")
        names = self._header()
        self._suggest_delimiter(names)
        with self._open(None) as reader:
            self.choose_columns(reader.schema)

    def _header(self) -> list[str]:
        """Read the header alone: what stands below it may not fit it."""
        from pyarrow import csv

        options = csv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=lambda row: "skip")
        with csv.open_csv(self.path, parse_options=options, read_options=self._read_options()) as reader:
            try:
                return list(reader.schema.names)
            except UnicodeDecodeError:
                raise ValueError(
                    f"{self.path}: the header is not in {self.form.encoding}; give its --encoding, such as latin-1"
                ) from None

    def _suggest_delimiter(self, names: list[str]) -> None:
        if len(names) != 1:
            return
        for character, shown in DELIMITERS.items():
            if character in names[0] and character != self.delimiter and names[0] not in self._selectors():
                raise ValueError(
                    f"{self.path}: the header {names[0]!r} looks like columns separated by {shown}: "
                    f"give --delimiter {shown}"
                )

    def _selectors(self) -> list[str]:
        return [source.selector for source in self.sources]

    def _read_options(self) -> Any:
        from pyarrow import csv

        return csv.ReadOptions(block_size=BLOCK, encoding=self.form.encoding)

    def _open(self, columns: list[str] | None, types: dict[str, Any] | None = None) -> Any:
        import pyarrow
        from pyarrow import csv

        if types is None:
            # Predictions and weights may begin with whole numbers; what a class index is, only the file can say.
            numbers = [] if columns is None else self._columns_of_numbers()
            types = dict.fromkeys(numbers, pyarrow.float64())
            types |= {name: getattr(pyarrow, TYPES[word])() for name, word in self.form.types.items()}
        return csv.open_csv(
            self.path,
            read_options=self._read_options(),
            parse_options=csv.ParseOptions(delimiter=self.delimiter),
            convert_options=csv.ConvertOptions(
                include_columns=columns,
                column_types=types,
                strings_can_be_null=True,
                decimal_point=self.form.decimal,
                check_utf8=False,  # labels in Latin-1 are decoded one by one
            ),
        )

    def _columns_of_numbers(self) -> list[str]:
        real = {source.role for source in self.sources if source.real}
        words = {name for role in self._columns if role in ("by", "where") for name in self._columns[role][0]}
        return [name for role in self._columns if role in real for name in self._columns[role][0] if name not in words]

    def batches(self, rows: int, start: int, stop: int | None) -> Iterator[Batch]:
        import pyarrow

        schema, done = None, 0
        try:
            with self._open(self.wanted) as reader:
                schema = reader.schema
                for batch in reader:
                    done += len(batch)
                    for first in range(0, len(batch), rows):
                        yield self.arrays(batch.slice(first, rows))
        except pyarrow.ArrowInvalid as error:
            raise ValueError(self._explain(str(error), schema)) from None
        if not done:
            yield self.empty(schema)

    def _explain(self, message: str, schema: Any) -> str:
        """Say which row of which column is not of the type that its first rows, or the role, gave the column."""
        import pyarrow

        failed = re.search(r"conversion error to (\w+)", message)
        if failed is None:
            return f"{self.path}: {message}"
        numbers = self._columns_of_numbers()
        row = 0
        with self._open(self.wanted, dict.fromkeys(self.wanted, pyarrow.string())) as reader:
            for batch in reader:
                for name in self.wanted:
                    wanted = self.form.types.get(name) or ("float" if name in numbers else "")
                    kind = schema.field(name).type if schema is not None else pyarrow.float64()
                    if wanted:
                        kind = getattr(pyarrow, TYPES[wanted])()
                    if str(kind) != failed[1]:
                        continue
                    wrong = self._first_wrong(batch.column(name), kind)
                    if wrong is not None:
                        return self._advise(name, row + wrong[0] + 1, wrong[1], str(kind), bool(wanted))
                row += len(batch)
        return f"{self.path}: {message}"

    def _first_wrong(self, column: Any, kind: Any) -> tuple[int, str] | None:
        import pyarrow

        def fits(values: Any) -> bool:
            try:
                values.cast(kind)
            except pyarrow.ArrowException:
                return False
            return True

        point = self.form.decimal
        if point != ".":
            column = pyarrow.array([None if text is None else text.replace(point, ".") for text in column.to_pylist()])
        if str(kind) == "null":
            known = [k for k, text in enumerate(column.to_pylist()) if text is not None]
            return (known[0], column[known[0]].as_py()) if known else None
        if fits(column):
            return None
        first, last = 0, len(column)  # the first wrong value lies between
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if fits(column.slice(first, middle - first)) else (first, middle)
        return first, str(column[first].as_py())

    def _advise(self, name: str, row: int, value: str, kind: str, said: bool) -> str:
        place = f"{self.path}: column {name!r}, row {row} below the header, holds {value!r}"
        if self.form.decimal == "." and re.fullmatch(r"[-+]?[0-9.]*,[0-9]+", value):
            return f"{place}; if the comma is the decimal mark, give --decimal ,"
        if said:
            return f"{place}; expected {kind}"
        better = "float" if re.fullmatch(r"[-+]?[0-9.eE+-]+", value) and kind == "int64" else "string"
        return f"{place}; the rows before it hold {kind}. Say what the column holds: --types {name}={better}"
