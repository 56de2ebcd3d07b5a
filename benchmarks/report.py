"""The table, the goals, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from contestants import FUNCTION, OBJECT, PEERS
from timing import CopyLoops, Time

#: The goals of the project for value and gradient with a preallocated ``out``, float32.
LARGE = 10_000_000  #: from this size on memory is the limit
TIMES_PYTORCH = 8.0  #: memory-bound losses, large arrays
SHARE_OF_COPY = 0.70  #: memory-bound losses, large arrays: of the bandwidth of the triad
SMALL = 32
OBJECT_SECONDS = 1e-6  #: small arrays: a bound loss object
FUNCTION_SECONDS = 2e-6  #: small arrays: the function with keywords


@dataclass(frozen=True)
class Row:
    """One loss at one size."""

    loss: str
    n: int
    memory_bound: bool
    bytes_moved: int
    times: dict[str, Time]
    composed: frozenset[str] = frozenset()
    #: Peers that computed another gradient, with the relative deviation.
    deviating: dict[str, float] = field(default_factory=dict)
    #: The copy loops, measured in the same turns; large arrays only.
    copies: dict[str, Time] = field(default_factory=dict)

    def least(self, name: str) -> float:
        return self.times[name].least

    @property
    def peers(self) -> list[str]:
        return [peer for peer in PEERS if peer in self.times]

    @property
    def times_best_peer(self) -> float | None:
        """How many times faster losslib is than the fastest peer."""
        return min((self.least(peer) for peer in self.peers), default=0.0) / self.least(OBJECT) or None

    @property
    def times_pytorch(self) -> float | None:
        return self.least("PyTorch") / self.least(OBJECT) if "PyTorch" in self.times else None

    @property
    def bandwidth(self) -> float:
        """Bytes per second of the bound object."""
        return self.bytes_moved / self.least(OBJECT)

    def share_of(self, loop: str) -> float | None:
        """The bandwidth as a share of a copy loop's, which may use one thread or all."""
        times = [time.least for name, time in self.copies.items() if name.startswith(loop)]
        if not times:
            return None
        return self.bandwidth / (CopyLoops.BYTES[loop] * self.n / min(times))

    def goals(self) -> Iterator[tuple[str, bool, str]]:
        """Yield every goal that applies: its name, whether it is met, and the number."""
        if self.times_best_peer is not None:
            best = min(self.peers, key=self.least)
            yield "ahead of every peer", self.times_best_peer > 1.0, f"{self.times_best_peer:.2f}x {best}"
        if self.n >= LARGE and self.memory_bound:
            if self.times_pytorch is not None:
                met = self.times_pytorch >= TIMES_PYTORCH
                yield f"{TIMES_PYTORCH:.0f}x PyTorch", met, f"{self.times_pytorch:.1f}x PyTorch"
            share = self.share_of("triad")
            if share is not None:
                met = share >= SHARE_OF_COPY
                yield f"{SHARE_OF_COPY:.0%} of the copy loop", met, f"{share:.0%} of the triad"
        if self.n == SMALL:
            for name, limit in ((OBJECT, OBJECT_SECONDS), (FUNCTION, FUNCTION_SECONDS)):
                kind = "object" if name == OBJECT else "function"
                nanoseconds = self.least(name) * 1e9
                met = self.least(name) <= limit
                yield f"{kind} in {limit * 1e6:.0f} µs", met, f"{kind} {nanoseconds:.0f} ns"

    @property
    def verdict(self) -> str:
        missed = [number for _, met, number in self.goals() if not met]
        return "missed: " + ", ".join(missed) if missed else "met"


HEADINGS = (
    "loss", "n", "losslib", "function", *PEERS,
    "x best", "x PyTorch", "GB/s", "of triad", "of copy", "verdict",
)  # fmt: skip


def table(rows: list[Row], absent: dict[str, str]) -> str:
    """Return the aligned table."""
    return aligned([HEADINGS, *(_cells(row, absent) for row in rows)])


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Return lines of cells as a table: headings first, a blank line where the first cell changes."""
    last = len(lines[0]) - 1
    widths = [max(len(line[k]) for line in lines) for k in range(last + 1)]
    text = []
    for k, line in enumerate(lines):
        if k > 1 and lines[k - 1][0] != line[0]:
            text.append("")
        padded = [cell.ljust(width) if j in (0, last) else cell.rjust(width)
                  for j, (cell, width) in enumerate(zip(line, widths, strict=True))]  # fmt: skip
        text.append("  ".join(padded).rstrip())
        if k == 0:
            text.append("  ".join("-" * width for width in widths))
    return "\n".join(text)


def _cells(row: Row, absent: dict[str, str]) -> tuple[str, ...]:
    peers = []
    for peer in PEERS:
        if peer in row.times:
            mark = "!" if peer in row.deviating else "*" if peer in row.composed else " "
            peers.append(microseconds(row.least(peer)) + mark)
        else:
            peers.append("absent " if peer in absent else "- ")
    large = row.share_of("triad") is not None
    return (
        row.loss,
        count(row.n),
        microseconds(row.least(OBJECT)),
        microseconds(row.least(FUNCTION)),
        *peers,
        ratio(row.times_best_peer),
        ratio(row.times_pytorch),
        f"{row.bandwidth / 1e9:.1f}" if row.n > SMALL else "",
        f"{row.share_of('triad'):.0%}" if large else "",
        f"{row.share_of('copy'):.0%}" if large else "",
        row.verdict,
    )


def count(n: int) -> str:
    """Write a number of elements: 32, 1e4, 2.5e6."""
    mantissa, exponent = f"{n:.10e}".split("e")
    return str(n) if n < 10_000 else f"{float(mantissa):g}e{int(exponent)}"


def microseconds(seconds: float) -> str:
    """Write a time in microseconds with three digits, and no fewer than its integer part has."""
    value = seconds * 1e6
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def ratio(value: float | None) -> str:
    """Write how many times faster, or a dash."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def summary(rows: list[Row]) -> str:
    """Return a line per goal: rows that meet it, and those that miss it."""
    goals: dict[str, list[tuple[bool, str]]] = {}
    for row in rows:
        for name, met, number in row.goals():
            goals.setdefault(name, []).append((met, f"{row.loss} n = {count(row.n)}: {number}"))
    lines = []
    for name, results in goals.items():
        missed = [text for met, text in results if not met]
        lines.append(f"{name}: {len(results) - len(missed)} of {len(results)} rows")
        lines += [f"    missed by {text}" for text in missed]
    return "\n".join(lines)


def copy_lines(rows: list[Row]) -> str:
    """Return the bandwidth of the copy loops over all turns: best and median of the rows."""
    lines = []
    for loop, size in CopyLoops.BYTES.items():
        speeds = sorted(size * row.n / row.copies[loop].least / 1e9 for row in rows if loop in row.copies)
        if speeds:
            middle = speeds[len(speeds) // 2]
            lines.append(f"{loop + ':':20}{middle:6.1f} GB/s (median of the rows), best {speeds[-1]:.1f}")
    return "\n".join(lines)
