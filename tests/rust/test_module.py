"""An extension module in Rust whose memory is the interpreter's: rust/json."""

import ctypes
import json
import os
import random
import resource
import subprocess
import sys
import threading
import tracemalloc
import unittest

import pymem_json

SEED = int(os.environ.get("PYMEM_TEST_SEED", os.getpid()))
PRELOADED = "libpymem" in os.environ.get("LD_PRELOAD", "")


def value(source, depth=0):
    kinds = ["null", "bool", "int", "float", "text"] + (["list", "dict"] * 3 if depth < 6 else [])
    kind = source.choice(kinds)
    if kind == "list":
        return [value(source, depth + 1) for _ in range(source.randrange(8))]
    if kind == "dict":
        return {text(source): value(source, depth + 1) for _ in range(source.randrange(8))}
    return {
        "null": None,
        "bool": source.random() < 0.5,
        "int": source.randrange(-(2**63), 2**64),
        "float": source.uniform(-1e6, 1e6),
        "text": text(source),
    }[kind]


def text(source):
    return "".join(source.choice('abc "\\\n\u00e9\u20ac\U0001f600') for _ in range(source.randrange(60)))


def traced():
    return tracemalloc.get_traced_memory()[0]


class Json(unittest.TestCase):
    def test_values_come_and_go_unchanged(self):
        source = random.Random(SEED)
        for _ in range(300):
            given = value(source)
            encoded = json.dumps(given)
            self.assertEqual(pymem_json.loads(encoded), given, SEED)
            self.assertEqual(json.loads(pymem_json.dumps(given)), given, SEED)

    def test_what_is_wrong_is_an_error(self):
        for wrong in ("", "[1,", '{"a": 1e999}', "nul", "[" * 1000):
            with self.assertRaises(ValueError):
                pymem_json.loads(wrong)
        nested = []
        for _ in range(1000):
            nested = [nested]
        for wrong in (float("nan"), nested):
            with self.assertRaises(ValueError):
                pymem_json.dumps(wrong)
        for wrong in (object(), {1: 2}, {"a": [b""]}):
            with self.assertRaises(TypeError):
                pymem_json.dumps(wrong)
        with self.assertRaises(OverflowError):
            pymem_json.dumps(2**64)

    def test_alignment_beyond_pythons(self):
        self.assertEqual(pymem_json.aligned(2000), 2000)

    def test_threads_without_the_lock(self):
        encoded = json.dumps([value(random.Random(SEED)) for _ in range(20)])
        self.assertEqual(pymem_json.exchange_in_threads(encoded), 200, SEED)

    def test_threads_without_the_lock_while_they_are_traced(self):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(pymem_json.exchange_in_threads('[1, "two", {"three": [4]}]'), 200)

    def test_pythons_threads(self):
        wrong = []

        def work(seed):
            source = random.Random(seed)
            for _ in range(100):
                given = value(source)
                if pymem_json.loads(pymem_json.dumps(given)) != given:
                    wrong.append(seed)

        threads = [threading.Thread(target=work, args=(SEED + i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_tracemalloc_counts_it(self):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = traced()
        pymem_json.hold(10_000_000)
        self.assertLess(abs(traced() - before - 10_000_000), 10_000)
        pymem_json.hold(0)
        self.assertLess(abs(traced() - before), 10_000)

    def test_no_memory_is_a_memory_error(self):
        pid = os.fork()  # the limit stays
        if pid == 0:
            limit = 4 << 30
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            try:
                pymem_json.hold(8 << 30)
            except MemoryError:
                os._exit(0 if pymem_json.loads("[1, 2]") == [1, 2] else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_the_host_makes_its_blocks(self):
        self.assertEqual(pymem_json.allocator(), "pymem")
        self.assertTrue(pymem_json.host_is_present())

    @unittest.skipUnless(PRELOADED, "nothing is preloaded")
    @unittest.skipIf("PYTHONMALLOC" in os.environ, "debug hooks put their own before the block")
    def test_preloaded_they_are_on_the_one_heap(self):
        owns = ctypes.CDLL(None).pymem_owns
        owns.restype, owns.argtypes = ctypes.c_bool, [ctypes.c_void_p]
        for size in (16, 1000, 100_000, 10_000_000):
            self.assertTrue(owns(pymem_json.hold(size)), size)
        pymem_json.hold(0)

    def test_the_module_carries_its_own_names_only(self):
        command = ["nm", "-D", "--defined-only", pymem_json.__file__]
        exported = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names = {line.split()[-1] for line in exported.splitlines()}
        self.assertIn("PyInit_pymem_json", names)
        foreign = [n for n in names if n.startswith(("pymem_", "PyMem_", "malloc", "free", "pm_"))]
        self.assertEqual(foreign, [])


if __name__ == "__main__":
    print(f"PYMEM_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main()
