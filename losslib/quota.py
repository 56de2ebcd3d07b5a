"""The cores that a process may use: its affinity, and the CPU quota of its control group."""

from __future__ import annotations

import os

__all__ = ["affinity", "cgroup_quota"]


def affinity() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def cgroup_quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> float | None:
    """Return the CPU quota of this process's control group in cores, or None if there is no limit.

    Reads version 2 (``cpu.max`` of the group and of every group above it) and version 1 (``cpu.cfs_quota_us``).
    """
    limits = _quota_v2(root)
    for line in _read(membership).splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        names = [name for name in path.split("/") if name]
        if controllers == "":
            for depth in range(1, len(names) + 1):
                limits += _quota_v2(os.path.join(root, *names[:depth]))
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", controllers):
                limits += _quota_v1(os.path.join(root, mount, *names)) + _quota_v1(os.path.join(root, mount))
    return min(limits, default=None)


def _quota_v2(folder: str) -> list[float]:
    fields = _read(folder, "cpu.max").split()
    if len(fields) != 2 or not fields[0].isdigit() or not fields[1].isdigit() or int(fields[1]) == 0:
        return []  # "max", empty or missing: no limit
    return [int(fields[0]) / int(fields[1])]


def _quota_v1(folder: str) -> list[float]:
    quota, period = _read(folder, "cpu.cfs_quota_us").strip(), _read(folder, "cpu.cfs_period_us").strip()
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return []  # -1, empty or missing: no limit
    return [int(quota) / int(period)]
