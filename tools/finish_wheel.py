"""Turn the wheel that the build backend made into the one that is released, and say what it is.

    python tools/finish_wheel.py build/raw/losslib_cpu-*.whl dist

On Linux, auditwheel copies the libraries that a system need not have into the wheel, adds a bill of materials for
them, and gives the wheel the oldest manylinux tag that its symbols allow. Then the result is checked: nothing but
the package in it, its size, its bills of materials against their schema, and with abi3audit that no extension uses a
symbol outside the limited API of Python 3.11. With SOURCE_DATE_EPOCH set, the same input gives the same bytes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

MOST_BYTES = 7_250_000  # 5 MB for the first 74 losses, a share for each family since
SOURCES = (".h", ".c", ".cpp", ".pyx", ".pxd")


def run(*words: object) -> str:
    """Run a tool of this environment and return what it printed; if it fails, so does this program."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env={**os.environ, "PATH": tools})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def repaired(raw: Path, folder: Path) -> Path:
    """Return the wheel in ``folder`` that runs on systems other than this one."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    if sys.platform == "linux":
        run("auditwheel", "repair", "--strip", "--zip-compression-level", 9, "--wheel-dir", folder, raw)
    else:
        shutil.copy(raw, folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def bill_lines(wheel: zipfile.ZipFile) -> Iterator[str]:
    """Check each bill of materials and name it with its components."""
    names = [name for name in wheel.namelist() if "/sboms/" in name and not name.endswith("/")]
    if not any(name.endswith("/losslib-cpu.cdx.json") for name in names):
        sys.exit(f"no bill of materials in {wheel.filename}; setup.py writes sboms/losslib-cpu.cdx.json")
    for name in names:
        text = wheel.read(name).decode()
        bill = json.loads(text)
        wrong = JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text)
        if wrong:
            sys.exit(f"{name} is not CycloneDX {bill['specVersion']}: {wrong}")
        parts = ", ".join(f"{part['name']} {part.get('version', '')}".strip() for part in bill["components"])
        yield f"{name.rpartition('/')[2]}: {parts}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the wheel that the build backend made")
    parser.add_argument("folder", type=Path, help="where the finished wheel goes")
    arguments = parser.parse_args()

    path = repaired(arguments.wheel, arguments.folder)
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        strays = [name for name in names if not name.startswith(("losslib/", "losslib_cpu")) or name.endswith(SOURCES)]
        if strays:
            sys.exit(f"{path.name}: not for a wheel: {', '.join(strays)}")
        bills = list(bill_lines(wheel))
    size = path.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{path.name} has {size / 1e6:.2f} MB; at most {MOST_BYTES / 1e6:.2f} are allowed")
    vendored = [name.rpartition("/")[2] for name in names if ".libs/" in name and not name.endswith("/")]
    verdict = "not built for the limited API"
    if "-abi3-" in path.name:
        verdict = " ".join(run("abi3audit", "--strict", "--summary", path).split()).rpartition(".whl: ")[2]

    print(f"wheel      {path.name}, {size / 1e6:.2f} MB")
    print(f"vendored   {', '.join(vendored) or 'nothing'}")
    for line in bills:
        print(f"materials  {line}")
    print(f"abi3audit  {verdict}")


if __name__ == "__main__":
    main()
