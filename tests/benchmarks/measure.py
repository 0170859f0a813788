"""What a benchmark measures and how it is shown: costs, rows, sections, one table.

A busy machine stretches wall time, and hardly touches CPU time. So jobs to be compared run in
turn (A, B, A, B), a ratio is the median of the ratios within each turn, of CPU seconds, and both
times are shown.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Settings:
    """What the subjects are given.

    Attributes
    ----------
    files : Path
        Folder of the input files, which may outlive the run.
    scratch : Path
        Folder of everything written.
    repeat : int
        Turns.
    tiny : bool
        Smallest sizes: whether the code runs, not what it costs.
    peers : Path or None
        Python of the environment that holds cmaqsatproc.
    checkpoint : Path or None
        A trained checkpoint; else the packaged one, where there is one.
    """

    files: Path
    scratch: Path
    repeat: int = 3
    tiny: bool = False
    peers: Path | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Cost:
    """One run: wall and CPU time [s], and peak memory [MiB], NaN where it was not measured.

    `queued` is the part of the wall time that the thread was ready and had no processor [s]: wall
    time less that is what an idle machine takes, waiting for the disk included.
    """

    wall: float
    user: float
    system: float
    peak: float = float("nan")
    queued: float = 0.0

    @property
    def cpu(self) -> float:
        """CPU time of all threads, in user code and in the kernel [s]."""
        return self.user + self.system

    @property
    def own(self) -> float:
        """Wall time without that spent in the queue for a processor [s], at least the CPU time.

        Where the system took the processor away between two readings of the clocks, the queue
        holds more than the wall time does.
        """
        return max(self.wall - self.queued, self.cpu)


@dataclass
class Row:
    """One line of the table.

    Attributes
    ----------
    job : str
    wall_s, user_s, system_s, peak_mib : float or None
        Medians over the turns; the largest peak.
    ratio, to : float, str
        Median of the turns' ratios of CPU time to another job, and its name.
    bar_s, bar_mib : float or None
        Limits on wall time and memory.
    rate : str
        The same as a rate, with its unit.
    note : str
    """

    job: str
    wall_s: float | None = None
    user_s: float | None = None
    system_s: float | None = None
    peak_mib: float | None = None
    ratio: float | None = None
    to: str = ""
    bar_s: float | None = None
    bar_mib: float | None = None
    rate: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the bars hold; CPU time counts where the machine was too busy for wall time."""
        if self.bar_s is None or self.wall_s is None:
            return ""
        if self.bar_mib is not None and (self.peak_mib or 0.0) > self.bar_mib:
            return "OVER (memory)"
        if self.wall_s <= self.bar_s:
            return "ok"
        cpu = (self.user_s or 0.0) + (self.system_s or 0.0)
        return "ok by CPU" if cpu <= self.bar_s else "OVER"


@dataclass
class Section:
    """The rows of a subject, what they mean, and further numbers for the JSON."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)


LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - start
with open(sys.argv[1], "w") as file:
    json.dump([wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss / 1024], file)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""
"""A small process between: the peak of a child counts that of the process it was started from."""


def run_process(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """Run a process to its end; cost and standard output.

    Parameters
    ----------
    command : sequence of str
        The program's path first.
    env : mapping, optional
        Environment variables to add.

    Raises
    ------
    RuntimeError
        If it fails; with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, str(report), *command],
            capture_output=True,
            text=True,
            env={**os.environ, **(env or {})},
            check=False,
        )
        if done.returncode != 0:
            msg = f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout)[-2000:]}"
            raise RuntimeError(msg)
        return Cost(*json.loads(report.read_text(encoding="utf-8"))), done.stdout


def run_function(function: Callable[[], object]) -> Cost:
    """Call a function in this process; its memory is not told from that of others."""
    before, queue = resource.getrusage(resource.RUSAGE_SELF), _queued()
    start = time.perf_counter()
    function()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Cost(wall, user, system, queued=_queued() - queue)


def _queued() -> float:
    """Time that this thread has waited for a processor [s], 0 where Linux does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def in_turn(jobs: Mapping[str, Callable[[], Cost]], repeat: int) -> dict[str, list[Cost]]:
    """Run all jobs, again and again, so that a busy moment hits each of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(repeat):
        for name, job in jobs.items():
            costs[name].append(job())
    return costs


def row_of(job: str, costs: Sequence[Cost], **more: Any) -> Row:
    """Medians and the largest peak of the turns of a job."""

    def median(values: Sequence[float]) -> float:
        return round(statistics.median(values), 4)

    peak = max(c.peak for c in costs)
    return Row(
        job,
        median([c.wall for c in costs]),
        median([c.user for c in costs]),
        median([c.system for c in costs]),
        None if peak != peak else round(peak, 1),
        **more,
    )


def ratio_of(costs: Sequence[Cost], reference: Sequence[Cost]) -> float:
    """Median over the turns of the ratio of CPU times."""
    pairs = zip(costs, reference, strict=True)
    return round(statistics.median(a.cpu / max(b.cpu, 1e-9) for a, b in pairs), 3)


def describe_machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "versions": {name: _version(name) for name in ("torch", "numpy", "netCDF4", "h5py")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


HEADER = ("job", "wall s", "user s", "sys s", "MiB", "CPU ratio", "to", "bar s", "", "rate, note")


def table_of(sections: Mapping[str, Section]) -> str:
    """One table of all sections as Markdown."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for section in sections.values():
        lines.append(f"| **{section.title}** |{' |' * (len(HEADER) - 1)}")
        lines += [f"| {' | '.join(_cells(row))} |" for row in section.rows]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        row.job,
        _number(row.wall_s),
        _number(row.user_s),
        _number(row.system_s),
        "" if row.peak_mib is None else f"{row.peak_mib:.0f}",
        _number(row.ratio),
        row.to,
        _number(row.bar_s),
        row.verdict,
        "; ".join(part for part in (row.rate, row.note) if part),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def write_json(path: Path, machine: Mapping[str, Any], sections: Mapping[str, Section]) -> None:
    """Keep everything measured."""
    content = {"machine": machine, "sections": {k: asdict(v) for k, v in sections.items()}}
    path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
