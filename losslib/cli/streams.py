"""Standard input and pipes, which can be read only once: kept in a file for as long as the command runs."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from types import TracebackType
from typing import IO

__all__ = ["Streams"]

#: How files begin, and the ending that says so; what begins otherwise is text.
BEGINNINGS = {
    b"\x93NUMPY": ".npy",
    b"PK\x03\x04": ".npz",
    b"PAR1": ".parquet",
    b"ARROW1": ".arrow",
    b"\x1f\x8b": ".csv.gz",
    b"BZh": ".csv.bz2",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
}


class Streams:
    """The streams of a command, each copied to a temporary file when it is first named."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._kept: dict[str, str] = {}

    def __enter__(self) -> Streams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def keep(self, text: str) -> str:
        """Return the text of an array, where it names a stream with the file of its copy instead."""
        path, colon, selector = text.rpartition(":")
        if not colon or os.path.exists(text):
            path, colon, selector = text, "", ""
        if path != "-" and not _is_stream(path):
            return text
        if path not in self._kept:
            if path == "-":
                self._kept[path] = self._copy(sys.stdin.buffer, "standard-input")
            else:
                with open(path, "rb") as stream:
                    self._kept[path] = self._copy(stream, os.path.basename(path))
        return f"{self._kept[path]}{colon}{selector}"

    def _copy(self, stream: IO[bytes], name: str) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="losslib-")
        head = stream.read(8)
        ending = next((ending for bytes_, ending in BEGINNINGS.items() if head.startswith(bytes_)), ".csv")
        path = os.path.join(self._folder.name, name + ending)
        with open(path, "wb") as file:
            file.write(head)
            shutil.copyfileobj(stream, file, 1 << 20)
        return path


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)
