"""What is compiled: modules x instruction sets x flags. Everything else about the package is in pyproject.toml.

Environment variables
    LOSSLIB_OPENMP=0        build without OpenMP: every call is serial (default: with, if the compiler can)
    LOSSLIB_BUILD_JOBS=n    compile n files at a time (default: the number of cores)
    LOSSLIB_BUILD_ISAS=...  comma-separated subset of the instruction sets, e.g. "baseline,v3", or "native": only the
                            widest that this processor runs, which takes a third of the time
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

# What is compiled once, with the flags of the baseline.
ONCE = {"cpu": "pyx/cpu.pyx", "threads": "pyx/threads.pyx", "loss": "pyx/loss/objects.pyx"}

# What is compiled for several instruction sets: module -> its source, and for which. A program that asks for a set gets
# of each module the widest up to it, so one that gains nothing from wider registers leaves them out.
EVERY = ("baseline", "v3", "v4")
KERNELS = {
    "pointwise": ("pyx/pointwise/driver.pyx", EVERY),
    "pointwise_regression": ("pyx/pointwise/regression.pyx", EVERY),
    "pointwise_robust": ("pyx/pointwise/robust.pyx", EVERY),
    "pointwise_likelihood": ("pyx/pointwise/likelihood.pyx", EVERY),
    "pointwise_binary": ("pyx/pointwise/binary.pyx", EVERY),
    "formula": ("pyx/formula/driver.pyx", EVERY),
    "softmax": ("pyx/softmax/driver.pyx", EVERY),
    "margin": ("pyx/margin/driver.pyx", EVERY),
    "distance": ("pyx/distance/driver.pyx", EVERY),
    "ctc": ("pyx/ctc/driver.pyx", EVERY),
    "transducer": ("pyx/transducer/driver.pyx", EVERY),
    "overlap": ("pyx/overlap/driver.pyx", EVERY),
    "boxes": ("pyx/boxes/driver.pyx", EVERY),
    "risk": ("pyx/risk/driver.pyx", EVERY),
    "lists": ("pyx/lists/driver.pyx", EVERY),
    "ordinal": ("pyx/ordinal/driver.pyx", EVERY),
    "similarity": ("pyx/similarity/driver.pyx", EVERY),
    "exact": ("pyx/exact.pyx", ("baseline",)),  # integers; v3 and v4 are no faster
}

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = not FREE_THREADED and sys.implementation.name == "cpython"
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
if LIMITED_API:
    MACROS += [("Py_LIMITED_API", "0x030B0000"), ("CYTHON_LIMITED_API", "1")]


def compile_program(source, folder, compile_flags=(), link_flags=()):
    """Compile a small C++ program; return its path, or None with what the compiler said."""
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    path, program = Path(folder) / "program.cpp", Path(folder) / "program"
    path.write_text(source)
    command = [*compiler, "-std=c++17", "-Iinclude", *compile_flags, str(path), "-o", str(program), *link_flags]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (program if answer.returncode == 0 else None), answer.stderr


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
    source = "#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n"
    with tempfile.TemporaryDirectory() as folder:
        program, complaint = compile_program(source, folder, compile_flags, link_flags)
    if program:
        return compile_flags, link_flags
    if choice == "1":
        raise SystemExit(f"LOSSLIB_OPENMP=1, but the compiler has no OpenMP:\n{complaint}")
    print("losslib: the compiler has no OpenMP; building without", file=sys.stderr)
    return [], []


def widest_here():
    """Return the widest instruction set that this processor runs, as losslib itself will find out."""
    if list(ISAS) == ["baseline"]:
        return "baseline"
    source = """
        #include <cstdio>
        #include "losslib/system/cpu.h"
        int main() { std::puts(losslib::runs_v4() ? "v4" : losslib::runs_v3() ? "v3" : "baseline"); }
    """
    with tempfile.TemporaryDirectory() as folder:
        program, complaint = compile_program(source, folder)
        if program is None:
            raise SystemExit(
                f"LOSSLIB_BUILD_ISAS=native: the compiler did not say what the processor runs:\n{complaint}"
            )
        return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def wanted_isas():
    """Return the instruction sets to build for, the widest last."""
    wanted = os.environ.get("LOSSLIB_BUILD_ISAS") or ",".join(ISAS)
    names = [widest_here()] if wanted == "native" else wanted.split(",")
    for name in names:
        if name not in ISAS:
            raise SystemExit(f"LOSSLIB_BUILD_ISAS={wanted}: {name!r} is none of native, {', '.join(ISAS)}")
    return [name for name in ISAS if name in names]


def widest_up_to(isa, built):
    """Return which of the sets that a module is built for serves an instruction set."""
    order = list(ISAS)
    return [name for name in order[: order.index(isa) + 1] if name in built][-1]


OPENMP_COMPILE, OPENMP_LINK = openmp_flags()
WANTED = wanted_isas()


def has_parallel_loop(module):
    """Say whether a module is written with Cython's ``prange``."""
    source = ONCE[module] if module in ONCE else KERNELS[module][0]
    return "from cython.parallel cimport" in Path(source).read_text(encoding="utf-8")


def extension(module, source, package="", isa="baseline"):
    """Describe one compiled module of ``losslib._kernels``."""
    parallel = module == "threads" or has_parallel_loop(module)
    return Extension(
        f"losslib._kernels.{package}{module}",
        [source],
        language="c++",
        include_dirs=["include", numpy.get_include()],
        define_macros=MACROS,
        extra_compile_args=[*FLAGS, *(OPENMP_COMPILE if parallel else []), *ISAS[isa]],
        extra_link_args=[*(OPENMP_LINK if parallel else []), *LINK],
        depends=[str(path) for path in sorted(Path("include").rglob("*.h"))],
        py_limited_api=LIMITED_API,
    )


def extensions():
    """Translate every pyx once, and list the generated C++ once for each instruction set."""
    translated = cythonize(
        [extension(module, source) for module, source in ONCE.items()]
        + [extension(module, source) for module, (source, _) in KERNELS.items()],
        build_dir="build/cython",
        include_path=["pyx", "pyx/formula"],
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
        if module in ONCE:
            listed.append(built)
            continue
        _, sets = KERNELS[module]
        for isa in sorted({widest_up_to(isa, sets) for isa in WANTED}):
            listed.append(extension(module, built.sources[0], f"{isa}.", isa))
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
