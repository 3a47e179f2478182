"""Those of pyperformance's programs that need nothing but the standard library, run one at a time
by pyperf's worker in a single process. Neither is part of this project."""

import json
import pathlib
import statistics
import tempfile

import allocators as al
from measure import RunFailed

# As pyperformance's manifest calls them: (name, folder, arguments, number of the task where the
# folder's program has several).
LIST = (
    ("2to3", "2to3"),
    ("async_generators", "async_generators"),
    ("async_tree_none", "async_tree", ("none",)),
    ("async_tree_io", "async_tree", ("io",)),
    ("async_tree_memoization", "async_tree", ("memoization",)),
    ("async_tree_cpu_io_mixed", "async_tree", ("cpu_io_mixed",)),
    ("async_tree_none_tg", "async_tree", ("none", "--task-groups")),
    ("asyncio_tcp", "asyncio_tcp"),
    ("chaos", "chaos"),
    ("comprehensions", "comprehensions"),
    ("concurrent_imap_processes", "concurrent_imap", (), 0),
    ("concurrent_imap_threads", "concurrent_imap", (), 1),
    ("coroutines", "coroutines"),
    ("deepcopy", "deepcopy", (), 0),
    ("deepcopy_reduce", "deepcopy", (), 1),
    ("deepcopy_memo", "deepcopy", (), 2),
    ("deltablue", "deltablue"),
    ("fannkuch", "fannkuch"),
    ("float", "float"),
    ("gc_collect", "gc_collect"),
    ("gc_traversal", "gc_traversal"),
    ("generators", "generators"),
    ("go", "go"),
    ("hexiom", "hexiom"),
    ("json_dumps", "json_dumps"),
    ("json_loads", "json_loads"),
    ("logging_format", "logging", ("format",)),
    ("logging_silent", "logging", ("silent",)),
    ("logging_simple", "logging", ("simple",)),
    ("mdp", "mdp"),
    ("meteor_contest", "meteor_contest"),
    ("nbody", "nbody"),
    ("nqueens", "nqueens"),
    ("pathlib", "pathlib"),
    ("pickle", "pickle", ("pickle",)),
    ("pickle_dict", "pickle", ("pickle_dict",)),
    ("pickle_list", "pickle", ("pickle_list",)),
    ("pickle_pure_python", "pickle", ("--pure-python", "pickle")),
    ("unpickle", "pickle", ("unpickle",)),
    ("unpickle_list", "pickle", ("unpickle_list",)),
    ("unpickle_pure_python", "pickle", ("--pure-python", "unpickle")),
    ("pidigits", "pidigits"),
    ("pprint_safe_repr", "pprint", (), 0),
    ("pprint_pformat", "pprint", (), 1),
    ("pyflate", "pyflate"),
    ("python_startup", "python_startup"),
    ("python_startup_no_site", "python_startup", ("--no-site",)),
    ("raytrace", "raytrace"),
    ("regex_compile", "regex_compile"),
    ("regex_dna", "regex_dna"),
    ("regex_effbot", "regex_effbot"),
    ("regex_v8", "regex_v8"),
    ("richards", "richards"),
    ("richards_super", "richards_super"),
    ("scimark_fft", "scimark", ("fft",)),
    ("scimark_lu", "scimark", ("lu",)),
    ("scimark_monte_carlo", "scimark", ("monte_carlo",)),
    ("scimark_sor", "scimark", ("sor",)),
    ("scimark_sparse_mat_mult", "scimark", ("sparse_mat_mult",)),
    ("spectral_norm", "spectral_norm"),
    ("sqlite_synth", "sqlite_synth"),
    ("telco", "telco"),
    ("typing_runtime_protocols", "typing_runtime_protocols"),
    ("unpack_sequence", "unpack_sequence"),
    ("xml_etree_parse", "xml_etree", ("parse",)),
    ("xml_etree_iterparse", "xml_etree", ("iterparse",)),
    ("xml_etree_generate", "xml_etree", ("generate",)),
    ("xml_etree_process", "xml_etree", ("process",)),
)
VALUE_SECONDS = 0.1  # a measured value takes one to two times as long ...
RUN_SECONDS = 2  # ... and a run has a warm-up and three values, or as many as fit
VALUES = 3


class Program:
    """One of the list. prepare() finds, once and under the first allocator, how often to loop."""

    group = "pyperformance"

    def __init__(self, python, benchmarks, name, folder, arguments=(), task=0):
        self.name = name
        self.program = folder
        self.arguments = arguments
        self.command = [python, benchmarks / f"bm_{folder}" / "run_benchmark.py"]
        self.command += ["--worker", f"--worker-task={task}"]
        self.options = []
        self.turns = 0  # how many of what pyperf reports the seconds of are in a value

    def labels(self):
        return {self.name, self.program, self.group}

    def worker(self, bench, allocator, options):
        """The cost of a process, the metadata and the only run of pyperf's report."""
        with tempfile.TemporaryDirectory() as directory:
            output = pathlib.Path(directory) / "out.json"
            command = [*self.command, *options, "-o", output, *self.arguments]
            cost, lines = bench.launch(allocator, command)
            try:
                suite = json.loads(output.read_text(encoding="utf-8"))
                (benchmark,) = suite["benchmarks"]
                (run,) = benchmark["runs"]
            except (OSError, ValueError, KeyError) as e:
                raise RunFailed(f"no report of one benchmark ({e}): {lines[-3:]}") from None
        metadata = {}
        for part in (suite, benchmark, run):
            metadata.update(part.get("metadata", {}))
        return cost, metadata, run

    def prepare(self, bench, base):
        """Why the program cannot be run here, or None."""
        options = ["--calibrate-loops", f"--min-time={VALUE_SECONDS}", "-w0", "-n1"]
        try:
            _, metadata, run = self.worker(bench, base, options)
        except RunFailed as e:
            return str(e).strip().splitlines()[-1]
        loops = metadata["calibrate_loops"]
        self.turns = loops * metadata.get("inner_loops", 1)
        seconds = run["warmups"][-1][1] * self.turns
        fitting = min(VALUES + 1, max(1, int(RUN_SECONDS / seconds)))
        values = max(1, fitting - 1)
        self.options = [f"-l{loops}", f"-w{fitting - values}", f"-n{values}"]
        return None

    def run(self, bench, allocator):
        cost, _, run = self.worker(bench, allocator, self.options)
        return {"time": statistics.mean(run["values"]) * self.turns, **cost._asdict()}


def find(path, python):
    """The programs below path, where pyperformance was checked out or unpacked."""
    folders = sorted(pathlib.Path(path).resolve().rglob("data-files/benchmarks"))
    if not folders:
        al.fail(f"--pyperformance {path}: no folder data-files/benchmarks is in it")
    return [Program(python, folders[0], *entry) for entry in LIST]
