"""Starts programs under several allocators, interleaved, and keeps what each run cost. Shared by
bench/run and bench/python/run."""

import json
import os
import platform
import signal
import subprocess
import sys
from typing import NamedTuple

import allocators as al

TIMEOUT = 300  # seconds for one run


class RunFailed(Exception):
    """A run without a result; status is the exit status, where there was one."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Cost(NamedTuple):
    wall: float
    cpu: float
    maxrss_kb: int


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--only", metavar="PROG,...", help="run these programs only")
    parser.add_argument("--json", metavar="FILE", help="write every single result to FILE")


def parse_arguments(parser):
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    return args


def choose_workloads(workloads, only):
    """Those that have one of the --only labels; all without the option."""
    if not only:
        return workloads
    wanted = set(only.split(","))
    unknown = wanted.difference(*(w.labels() for w in workloads))
    if unknown:
        al.fail(f"--only: no program called {', '.join(sorted(unknown))} (see --help)")
    return tuple(w for w in workloads if wanted & w.labels())


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as f:
        memory_kb = int(f.readline().split()[1])
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="utf-8") as f:
            huge_pages = f.read().split("[")[1].split("]")[0]
    except (OSError, IndexError):
        huge_pages = "unknown"
    return {
        "processor": model,
        "processors": len(os.sched_getaffinity(0)),
        "memory_mb": memory_kb // 1024,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "transparent_huge_pages": huge_pages,
    }


def print_setting(allocators, about):
    for allocator in allocators:
        preload = (allocator.path or "no preload", *allocator.settings)
        print(f"{allocator.name:16}" + " ".join(preload))
    print("machine: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in about.items()))


class Bench:
    """Runs workloads: objects with a name, program and arguments, labels() for --only, and
    run(bench, allocator), which returns the figures of one run by name."""

    def __init__(self, build_dir, environment):
        self.build_dir = build_dir
        self.environment = environment
        self.runs = []
        self.failures = []
        self.checksums = {}  # workload name -> (line, allocator name)

    def launch(self, allocator, command, stdin=None, directory=None, drop_output=False):
        """One run, reading the file stdin, in the directory: its cost, the lines of its output
        (or only those on standard error). Raises RunFailed."""
        reader, writer = os.pipe()
        launcher = al.launch_command(self.build_dir, allocator) + ["-f", str(writer), "--"]
        with os.fdopen(reader) as report, open(stdin or os.devnull, "rb") as stdin_file:
            try:
                child = subprocess.Popen(
                    launcher + [str(word) for word in command],
                    env=self.environment,
                    pass_fds=(writer,),
                    cwd=directory,
                    stdin=stdin_file,
                    stdout=subprocess.DEVNULL if drop_output else subprocess.PIPE,
                    stderr=subprocess.PIPE if drop_output else subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            finally:
                os.close(writer)
            try:
                output, errors = child.communicate(timeout=TIMEOUT)
                output = errors if drop_output else output
            except subprocess.TimeoutExpired:
                raise RunFailed(f"no end after {TIMEOUT} s") from None
            finally:
                if child.poll() is None:  # also after an interrupt
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
            status = child.returncode
            if status != 0:
                raise RunFailed(f"exit status {status}: {output.strip()[-300:]}", status)
            words = report.readline().split()
        return Cost(float(words[1]), float(words[3]), int(words[5])), output.splitlines()

    def launch_checked(self, name, allocator, command):
        """The cost of a run of a deterministic program: all runs must print the same sum."""
        cost, lines = self.launch(allocator, command)
        line = next((s for s in lines if s.startswith("checksum ")), None)
        known, first = self.checksums.setdefault(name, (line, allocator.name))
        if line is None or line != known:
            raise RunFailed(f"printed {line!r}, but {known!r} under {first}")
        return cost

    def measure(self, workload, allocator, number):
        try:
            figures = workload.run(self, allocator)
        except RunFailed as e:
            self.failures.append(f"{workload.name} under {allocator.name}, round {number}: {e}")
            return
        self.runs.append(
            {
                "workload": workload.name,
                "program": workload.program,
                "arguments": workload.arguments,
                "allocator": allocator.name,
                "round": number,
                **figures,
            }
        )

    def run_rounds(self, workloads, allocators, rounds):
        """Returns the (workload, allocator) pairs of which a run failed."""
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
            shift = (number - 1) % len(allocators)
            for workload in workloads:
                for allocator in allocators[shift:] + allocators[:shift]:
                    self.measure(workload, allocator, number)
        measured = {(r["workload"], r["allocator"], r["round"]) for r in self.runs}
        return {
            (w.name, a.name)
            for w in workloads
            for a in allocators
            for n in range(1, rounds + 1)
            if (w.name, a.name, n) not in measured
        }

    def resident(self, name, allocators, command):
        """The "resident_kb STEP KB" lines of one run per allocator: {allocator: {step: KB}}."""
        results = {}
        for allocator in allocators:
            try:
                _, lines = self.launch(allocator, command)
            except RunFailed as e:
                self.failures.append(f"{name} under {allocator.name}: {e}")
                continue
            words = (s.split() for s in lines if s.startswith("resident_kb "))
            results[allocator.name] = {step: int(kb) for _, step, kb in words}
        return results

    def finish(self, path, about, rounds, allocators, **more):
        """Says what failed, writes the --json file if there is to be one; the exit status."""
        for failure in self.failures:
            print(f"FAILED: {failure}")
        if path:
            results = {
                "machine": about,
                "rounds": rounds,
                "allocators": [a._asdict() for a in allocators],
                "runs": self.runs,
                **more,
                "failures": self.failures,
            }
            with open(path, "w", encoding="utf-8") as f:
                json.dump(results, f, indent=1)
                f.write("\n")
        return 1 if self.failures else 0
