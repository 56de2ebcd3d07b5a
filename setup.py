"""What is compiled: modules x instruction sets x flags. Everything else about the package is in pyproject.toml.

Environment variables
    LOSSLIB_OPENMP=0        build without OpenMP, whose limit calls keep to (default: with, if the compiler can)
    LOSSLIB_BUILD_JOBS=n    compile n files at a time (default: the number of cores)
    LOSSLIB_BUILD_ISAS=...  comma-separated subset of the instruction sets, e.g. "baseline" for a quick build
    LOSSLIB_SANITIZE=...    value for -fsanitize=, e.g. "address,undefined"
"""

import copy
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import Cython
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent / "tools"))  # a build front end runs this file from anywhere
from bill_of_materials import bill_of_materials

MSVC = sys.platform == "win32"
MACHINE = platform.machine().lower()
if sys.platform == "darwin" and "ARCHFLAGS" in os.environ:  # cross-compiled wheels
    MACHINE = "arm64" if "arm64" in os.environ["ARCHFLAGS"] else "x86_64"

# The instruction sets that kernels are compiled for: name -> flags. Contraction into fused multiply-adds makes
# exp-bound losses 1.4 times as fast; v3 and v4 agree to an ULP with it; the baseline has no such instruction.
if MSVC:
    ISAS = {"baseline": []}
elif MACHINE in ("x86_64", "amd64"):
    ISAS = {
        "baseline": ["-march=x86-64-v2", "-mtune=generic", "-ffp-contract=off"],
        "v3": ["-march=x86-64-v3", "-mtune=generic", "-ffp-contract=fast"],
        "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512", "-ffp-contract=fast"],
    }
else:
    ISAS = {"baseline": ["-ffp-contract=fast"]}
if "LOSSLIB_BUILD_ISAS" in os.environ:
    wanted = os.environ["LOSSLIB_BUILD_ISAS"].split(",")
    ISAS = {name: ISAS[name] for name in wanted}

# Never -ffast-math: it breaks NaN and turns denormals off for the whole process when linked with.
if MSVC:
    FLAGS = ["/O2", "/std:c++17", "/fp:precise"]
else:
    FLAGS = ["-O3", "-std=c++17", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-pthread"]
    if "clang" not in (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "") and sys.platform != "darwin":
        # A kernel has up to three inputs and three outputs: more pairs than GCC checks for overlap by default.
        FLAGS.append("--param=vect-max-version-for-alias-checks=64")
LINK = [] if MSVC else ["-pthread"]
if "LOSSLIB_SANITIZE" in os.environ:
    sanitizer = f"-fsanitize={os.environ['LOSSLIB_SANITIZE']}"
    # -O1: whole stack traces, and minutes less of compiling.
    FLAGS += [sanitizer, "-O1", "-g", "-fno-omit-frame-pointer"]
    LINK += [sanitizer]

BASELINE_MODULES = ("cpu", "threads", "loss")  # compiled once, with the flags of the baseline
# Compiled for every instruction set.
ISA_MODULES = ("pointwise", "softmax", "margin", "distance", "ctc", "transducer", "overlap", "boxes", "exact")

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = not FREE_THREADED and sys.implementation.name == "cpython"
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
if LIMITED_API:
    MACROS += [("Py_LIMITED_API", "0x030B0000"), ("CYTHON_LIMITED_API", "1")]


def openmp_flags():
    """Return (compile flags, link flags) for OpenMP, or nothing if it is off or the compiler lacks it."""
    choice = os.environ.get("LOSSLIB_OPENMP", "")
    if choice == "0":
        return [], []
    if MSVC:
        return ["/openmp"], []
    if sys.platform == "darwin":
        compile_flags, link_flags = ["-Xpreprocessor", "-fopenmp"], ["-lomp"]
    else:
        compile_flags, link_flags = ["-fopenmp"], ["-fopenmp"]
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "openmp.cpp"
        source.write_text("#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n")
        command = [*compiler, *compile_flags, str(source), "-o", str(Path(folder) / "openmp"), *link_flags]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        return compile_flags, link_flags
    if choice == "1":
        raise SystemExit(f"LOSSLIB_OPENMP=1, but the compiler has no OpenMP:\n{answer.stderr}")
    print("losslib: the compiler has no OpenMP; building without", file=sys.stderr)
    return [], []


OPENMP_COMPILE, OPENMP_LINK = openmp_flags()


def extension(module, source, package, isa):
    """Describe one compiled module of ``losslib._kernels``."""
    return Extension(
        f"losslib._kernels.{package}{module}",
        [source],
        language="c++",
        include_dirs=["include", numpy.get_include()],
        define_macros=MACROS,
        extra_compile_args=[*FLAGS, *(OPENMP_COMPILE if module == "threads" else []), *ISAS[isa]],
        extra_link_args=[*(OPENMP_LINK if module == "threads" else []), *LINK],
        depends=[str(path) for path in sorted(Path("include").rglob("*.h"))],
        py_limited_api=LIMITED_API,
    )


def source_of(module):
    """Return where a module is written: a geometry has a folder, its loops stand in driver.pyx."""
    driver = Path("pyx") / module / "driver.pyx"
    return str(driver if driver.exists() else Path("pyx") / f"{module}.pyx")


def extensions():
    """Translate every pyx once, and list the generated C++ once for each instruction set."""
    base = next(iter(ISAS))
    translated = cythonize(
        [extension(module, source_of(module), "", base) for module in BASELINE_MODULES + ISA_MODULES],
        build_dir="build/cython",
        include_path=["pyx"],
        nthreads=0,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": False,
            "freethreading_compatible": True,
            "annotation_typing": False,
        },
    )
    listed = []
    for built in translated:
        module = built.name.rpartition(".")[2]
        if module in BASELINE_MODULES:
            listed.append(built)
        else:
            listed += [extension(module, built.sources[0], f"{isa}.", isa) for isa in ISAS]
    return listed


class BuildInParallel(build_ext):
    """Compiles several extensions at a time, each in a folder of its own: they share their C++ source."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = int(os.environ.get("LOSSLIB_BUILD_JOBS") or os.cpu_count() or 1)

    def build_extension(self, ext):
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, ext.name)
        command.compiler = copy.copy(self.compiler)
        super(BuildInParallel, command).build_extension(ext)


class WheelWithBill(bdist_wheel):
    """Puts a bill of materials into the wheel."""

    def write_wheelfile(self, wheelfile_base, **options):
        super().write_wheelfile(wheelfile_base, **options)
        bill = Path(wheelfile_base) / "sboms" / "losslib-cpu.cdx.json"
        bill.parent.mkdir(exist_ok=True)
        version = self.distribution.get_version()
        bill.write_text(bill_of_materials(version, Cython.__version__, numpy.__version__), encoding="utf-8")


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildInParallel, "bdist_wheel": WheelWithBill},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
