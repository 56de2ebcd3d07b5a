"""What a page depends on, as a hash: a loss that nothing has changed for is not examined again."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import losslib
from losslib.declaration import registry
from losslib.declaration.index import INDEX
from losslib.declaration.schema import LossInfo
from losspages.catalogue import stories
from losspages.checks.equivalents import DISTRIBUTIONS

PACKAGE = Path(losslib.__file__).parent
EXTENSION = Path(__file__).parents[1]
ORACLES = Path(__file__).parents[4] / "tests" / "oracles"

#: Modules of this extension that make lists and reports of what was found, and no pages of losses.
AFTER = {
    "build.py",
    "choices.py",
    "examination.py",
    "migration.py",
    "names.py",
    "places.py",
    "portraits.py",
    "sidebar.py",
}

#: What a declaring module takes from others.
_IMPORT = re.compile(r"^from losslib\.losses\.(\w+) import", re.MULTILINE)


def declaring_module(info: LossInfo) -> str:
    """Return the module of ``losslib.losses`` that declares a loss."""
    return next(module for module, listed in INDEX.items() if any(names[0] == info.name for names in listed))


@functools.cache
def sources_of(module: str) -> frozenset[Path]:
    """Return the files that a declaration is made of."""
    path = PACKAGE / "losses" / f"{module.rpartition('.')[2]}.py"
    found = {path}
    for other in _IMPORT.findall(path.read_text()):
        found |= sources_of(other)
    return frozenset(found)


@functools.cache
def common() -> str:
    """Return the hash of what every page depends on: kernels, package, this extension, oracles, other packages."""
    digest = hashlib.sha256(repr(sorted((info.name, info.summary) for info in registry.all_losses())).encode())
    for path in sorted(_common_files()):
        digest.update(path.name.encode() + path.read_bytes())
    packages = sorted({item.package for info in registry.all_losses() for item in info.equivalents})
    for name in packages:
        try:
            version = importlib.metadata.version(DISTRIBUTIONS.get(name, name))
        except importlib.metadata.PackageNotFoundError:
            version = "absent"
        digest.update(f"{name} {version}\n".encode())
    return digest.hexdigest()


def _common_files() -> Iterator[Path]:
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".so", ".pyd", ".py") and path.parent.name != "losses":
            yield path
    for path in EXTENSION.rglob("*.py"):
        if path.parent.name != "reports" and path.name not in AFTER:
            yield path
    yield from ORACLES.glob("*.py")


def key(info: LossInfo) -> str:
    """Return the hash of everything that the page of a loss depends on."""
    digest = hashlib.sha256(f"{common()} {info.name}".encode())
    for path in sorted(sources_of(declaring_module(info))):
        digest.update(path.read_bytes())
    digest.update(stories.line(info).encode())
    return digest.hexdigest()[:32]


def read(folder: Path, info: LossInfo) -> Any:
    """Return what was found out about a loss before, None if something has changed since."""
    try:
        return pickle.loads((folder / f"{info.name}-{key(info)}.pickle").read_bytes())
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        return None


def write(folder: Path, info: LossInfo, found: Any) -> None:
    """Keep what was found out about a loss, in place of what was kept before."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{info.name}-*.pickle"):
        old.unlink()
    (folder / f"{info.name}-{key(info)}.pickle").write_bytes(pickle.dumps(found))
