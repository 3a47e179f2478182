"""The programs that the field compares allocators by, out of the mimalloc-bench collection. They are
not part of this project: whoever wants to run them gives the folder of a checkout in which they
are built (out/bench)."""

import pathlib
import re
from typing import NamedTuple, Optional

import allocators as al
from measure import RunFailed

# Some programs run for a fixed time and print how much they have done. Their time is then the
# seconds that a fixed amount would have taken: the pattern's number, or its reciprocal for a rate.
SECONDS = "seconds"
RATE = "rate"


class Program(NamedTuple):
    name: str
    program: str
    arguments: tuple = ()
    pattern: Optional[str] = None
    kind: str = SECONDS
    stdin: Optional[str] = None
    directory: Optional[pathlib.Path] = None
    group = "field"

    def labels(self):
        return {self.name, self.program, self.group}

    def time(self, cost, lines):
        if not self.pattern:
            return cost.wall
        found = re.search(self.pattern, "\n".join(lines))
        if not found or float(found.group(1)) <= 0:
            raise RunFailed(f"printed nothing like {self.pattern!r}: {lines[-3:]}")
        value = float(found.group(1))
        return value if self.kind == SECONDS else 1e6 / value

    def run(self, bench, allocator):
        stdin = self.directory / self.stdin if self.stdin else None
        command = [self.directory / "out/bench" / self.program, *self.arguments]
        cost, lines = bench.launch(allocator, command, stdin, self.directory / "out/bench")
        return {**cost._asdict(), "wall": self.time(cost, lines)}


RELATIVE = r"relative time: ([0-9.]+)s"
LARSON = ("1", "8", "1000", "5000", "100", "4141", "2")
SOURCES = "../../bench"  # seen from out/bench
LIST = (
    Program("cfrac", "cfrac", ("17545186520507317056371138836327483792789528",)),
    Program("espresso", "espresso", (f"{SOURCES}/espresso/largest.espresso",)),
    Program("barnes", "barnes", stdin="bench/barnes/input"),
    Program("alloc-test1", "alloc-test", ("1",)),
    Program("alloc-test2", "alloc-test", ("2",)),
    Program("larson2", "larson", LARSON, RELATIVE),
    Program("larson2-sized", "larson-sized", LARSON, RELATIVE),
    Program("xmalloc-test2", "xmalloc-test", tuple("-w 2 -t 2 -s 64".split()), r"rtime: ([0-9.]+)"),
    Program("cache-thrash1", "cache-thrash", tuple("1 1000 1 2000000 2".split())),
    Program("cache-thrash2", "cache-thrash", tuple("2 1000 1 2000000 2".split())),
    Program("cache-scratch1", "cache-scratch", tuple("1 1000 1 2000000 2".split())),
    Program("cache-scratch2", "cache-scratch", tuple("2 1000 1 2000000 2".split())),
    Program("malloc-large", "malloc-large"),
    Program("mstress2", "mstress", tuple("2 50 250".split())),
    Program("mleak10", "mleak", ("5",)),
    Program("mleak100", "mleak", ("50",)),
    Program(
        "rptest2",
        "rptest",
        tuple("2 0 1 2 100 1000 100 8 16000".split()),
        r"\.\.\.([0-9]+) memory ops",
        RATE,
    ),
    Program("glibc-simple", "glibc-simple"),
    Program("glibc-thread2", "glibc-thread", ("2",), r"([0-9]+) iterations", RATE),
)


def find(path):
    """The programs of the checkout at path. Says which are not built."""
    directory = pathlib.Path(path).resolve()
    built = [p for p in LIST if (directory / "out/bench" / p.program).is_file()]
    if not built:
        al.fail(f"--mimalloc-bench {path}: no programs are built in its folder out/bench")
    for missing in sorted({p.program for p in LIST} - {p.program for p in built}):
        print(f"missing: {missing} ({directory}/out/bench/{missing})")
    return tuple(p._replace(directory=directory) for p in built)
