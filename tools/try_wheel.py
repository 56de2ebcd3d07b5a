"""Install a wheel with NumPy alone into every Python of this machine, and run it there outside the source tree.

    python tools/try_wheel.py dist/losslib_cpu-*.whl

Pythons from 3.11 on are looked for as ``python3.N`` on the PATH and among pyenv's. In a fresh environment of each,
the wheel has to bring NumPy and nothing else, every example in a docstring has to hold (doctest is in the standard
library), and the import is timed in processes of its own: the median of several, with and without losslib.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OLDEST, NEWEST = 11, 20

TRIAL = """
import doctest, importlib.metadata, json, platform, sys
import numpy, losslib

runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
for info in losslib.list_losses():
    for name in (info.name, info.class_name):
        text = getattr(losslib, name).__doc__
        example = doctest.DocTestParser().get_doctest(text, {"np": numpy, "losslib": losslib}, name, None, 0)
        runner.run(example, out=sys.stderr.write)
distributions = {d.metadata["Name"] for d in importlib.metadata.distributions()}
print(json.dumps({
    "python": platform.python_version(),
    "numpy": numpy.__version__,
    "distributions": sorted(distributions - {"pip", "setuptools"}),
    "folder": losslib.__path__[0],
    "isa": losslib.config()["isa"],
    "losses": len(losslib.list_losses()),
    "examples": runner.tries,
    "failures": runner.failures,
}))
"""

IMPORT = """
import time
import numpy
start = time.perf_counter()
import losslib
print(time.perf_counter() - start)
"""


def pythons() -> dict[str, Path]:
    """Return the newest CPython of each version from 3.11 on."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = [
        *(folder / "bin" for folder in sorted(pyenv.glob("3.*"), reverse=True)),
        *map(Path, os.environ["PATH"].split(os.pathsep)),
        Path(sys.executable).parent,
    ]
    found: dict[str, Path] = {}
    for minor in range(OLDEST, NEWEST + 1):
        name = f"python3.{minor}"
        for folder in folders:
            if (folder / name).is_file():
                found.setdefault(name, folder / name)
    return found


def tried(python: Path, wheel: Path, folder: Path) -> dict[str, Any]:
    """Install the wheel into a fresh environment and return what its trial printed."""

    def run(*words: object) -> str:
        done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))[:200]} failed:\n{done.stdout}{done.stderr}")
        if done.stderr and "pip" not in words:
            sys.exit(f"{python}: the wheel printed to stderr:\n{done.stderr}")
        return done.stdout

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LOSSLIB"))}
    run(python, "-m", "venv", folder / "venv")
    inside = folder / "venv" / "bin" / "python"
    run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    found: dict[str, Any] = json.loads(run(inside, "-I", "-c", TRIAL))
    if found["distributions"] != ["losslib-cpu", "numpy"]:
        sys.exit(f"{python}: the wheel installed {found['distributions']}; expected itself and NumPy")
    if not Path(found["folder"]).is_relative_to(folder):
        sys.exit(f"{python}: imported losslib from {found['folder']}, not from the fresh environment")
    if found["failures"] or not found["examples"]:
        sys.exit(f"{python}: {found['failures']} of {found['examples']} examples failed")
    found["import_ms"] = 1e3 * statistics.median(float(run(inside, "-I", "-c", IMPORT)) for _ in range(9))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    found = pythons()
    if not found:
        sys.exit("no CPython from 3.11 on was found")
    print(f"{'Python':<10} {'NumPy':<8} {'ISA':<9} {'losses':>6} {'examples':>9}  import over NumPy")
    for python in found.values():
        with tempfile.TemporaryDirectory() as folder:
            facts = tried(python, wheel, Path(folder).resolve())
        print(
            f"{facts['python']:<10} {facts['numpy']:<8} {facts['isa']:<9} {facts['losses']:>6} "
            f"{facts['examples']:>9}  {facts['import_ms']:.0f} ms"
        )


if __name__ == "__main__":
    main()
