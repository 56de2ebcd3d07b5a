"""Files that are written: complete or not at all, and never over what is being read."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

__all__ = ["refuse_inputs", "replacing", "terminable"]


def refuse_inputs(option: str, path: str, inputs: Iterable[str]) -> None:
    """Raise if a file cannot be written, or is one of the inputs under whatever name."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise ValueError(f"{option} {path}: there is no directory {os.path.dirname(path) or folder!r}")
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise ValueError(f"{option} {path}: this is no file that could be replaced")
    for name in inputs:
        if os.path.samefile(path, name):
            raise ValueError(f"{option} {path}: this is the file of an input, {name}, and would be lost; name another")


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """Give a file to write that takes the place of `path` when it is complete, and vanishes when it is not."""
    target = os.path.realpath(path)  # through a link, as a shell's redirection would write
    folder, name = os.path.split(target)
    # The name is known before there is a file: a signal may come at any moment.
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=_open_for_owner) as file:
            yield file
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _mode(path: str) -> int:
    """Return the permissions of the file that is replaced, or those that a new file gets."""
    with suppress(FileNotFoundError):
        return os.stat(path).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def terminable() -> Iterator[None]:
    """Let a request to terminate end the program as an exception does, so that unfinished files are removed."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # not what a caller has set, nor what nohup ignores
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
