"""What this build is and what it chose on this machine."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

import losslib._kernels.cpu as cpu
from losslib import _kernels, parallelism
from losslib._version import __version__

__all__ = ["config", "show_config"]


def config() -> dict[str, Any]:
    """Return the build and run-time configuration as a dictionary.

    Returns
    -------
    dict
        Version, instruction set (chosen, forced, built and supported here), compiler, threads, Python and NumPy.
    """
    build = cpu.build()
    return {
        "version": __version__,
        "isa": _kernels.ISA,
        "isa_forced": _kernels.forced is not None,
        "isa_available": list(_kernels.available),
        "architecture": build["architecture"],
        "compiler": build["compiler"],
        "threads": parallelism.describe(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def _openmp(runtime: dict[str, Any] | None) -> str:
    if runtime is None:
        return "none: built without, every call is serial"
    owner = "a copy of the wheel's own" if runtime["private"] else "shared with others in this process"
    awake = "wait as the runtime was set" if runtime["spin"] is None else f"wait awake for {runtime['spin']} us"
    return f"{runtime['name']}, specification {runtime['version']}, {owner}; threads {awake}"


def show_config() -> None:
    """Print version, instruction set, threads and compiler of this build, for bug reports.

    See Also
    --------
    losslib.config : The same as a dictionary.
    """
    facts = config()
    threads = facts["threads"]
    forced = " (forced by LOSSLIB_ISA)" if facts["isa_forced"] else ""
    quota = "none" if threads["cgroup_quota"] is None else f"{threads['cgroup_quota']:g} cores"
    limit = "none" if threads["openmp_limit"] is None else threads["openmp_limit"]
    state = f"{threads['num_threads']}"
    if threads["stranded_child"]:
        state += " (forked child without its parent's OpenMP workers: serial for good)"
    elif threads["forked_child"]:
        state += " (forked child: serial until losslib.set_num_threads is called in it)"
    elif threads["threads_creatable"] is False:
        state += f" (of {threads['configured']}: the system refused to create more)"
    lines = [
        ("losslib", facts["version"]),
        ("instruction set", f"{facts['isa']}{forced}; available here: {', '.join(facts['isa_available'])}"),
        ("threads", state),
        ("", f"cores {threads['affinity']}, quota {quota}, OpenMP limit {limit}"),
        ("OpenMP", _openmp(threads["openmp_runtime"])),
        ("compiler", f"{facts['compiler']}, {facts['architecture']}"),
        ("Python, NumPy", f"{facts['python']}, {facts['numpy']}"),
        ("platform", facts["platform"]),
    ]
    for name, text in lines:
        print(f"{name:<16} {text}")
