"""tracemalloc sees what it would see without the library: the same blocks, sizes and tracebacks,
through the interpreter's functions and through ours."""

import ctypes
import json
import sys
import tracemalloc

import probe
import support

# Prints what was traced for the own lines of this script, by line and by traceback.
TRACED = """
    import gc, json, sys, tracemalloc, types

    # No class of its own: that holds an int made of its address, whose size varies.
    def build(n):
        nodes = [types.SimpleNamespace(value=str(i) * 20, others={}) for i in range(n)]
        for i, node in enumerate(nodes):
            node.others[i] = nodes[i // 2]
        return nodes, bytes(300000), bytearray(70000), "x" * 12345

    def snapshot():
        gc.collect()
        own = tracemalloc.Filter(True, "<string>")
        taken = tracemalloc.take_snapshot().filter_traces([own])
        kinds = {}
        for kind in ("lineno", "traceback"):
            kinds[kind] = sorted(
                ([f.lineno for f in s.traceback], s.size, s.count)
                for s in taken.statistics(kind)
            )
        return kinds

    def measure(frames):
        if not tracemalloc.is_tracing():
            tracemalloc.start(frames)
        before = tracemalloc.get_traced_memory()[0]
        kept = build(200)
        result = [snapshot(), tracemalloc.get_object_traceback(kept[1])[-1].lineno]
        grown = tracemalloc.get_traced_memory()[0] - before
        assert grown > 200 * 100 + 300000 + 70000 + 12345, grown
        build(1000)
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak > 2 * grown, (grown, peak)
        del kept
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < grown / 4
        tracemalloc.stop()
        assert tracemalloc.get_traced_memory() == (0, 0)
        return result

    print(json.dumps([measure(1), measure(5), measure(1)]))
"""


class Comparison(support.TestCase):
    """The script's own lines have the same traces with and without the library."""

    def assert_equal_with_and_without(self, *options):
        with_it = json.loads(self.code(TRACED, *options, PYTHONHASHSEED="0"))
        without = json.loads(self.code(TRACED, *options, PYTHONHASHSEED="0", preload=False))
        self.assertGreaterEqual(len(with_it[0][0]["lineno"]), 3)
        self.assertEqual(with_it, without)

    def test_started_at_run_time(self):
        self.assert_equal_with_and_without()

    def test_started_with_the_interpreter(self):
        self.assert_equal_with_and_without("-X", "tracemalloc")
        self.assert_equal_with_and_without("-X", "tracemalloc=10")

    def test_with_debug_hooks(self):
        self.assert_equal_with_and_without("-X", "dev", "-X", "tracemalloc=3")


def traced():
    return tracemalloc.get_traced_memory()[0]


class Blocks(support.TestCase):
    """Blocks that C code takes from the domains."""

    def setUp(self):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)

    def trace_of(self, size):
        """The one traced block of this size."""
        # The tests' own blocks are of other sizes.
        found = [t for t in tracemalloc.take_snapshot().traces if t.size == size]
        self.assertEqual(len(found), 1)
        return found[0]

    def check(self, api, release_api, prefix):
        size = 123457
        before = traced()
        block, line = getattr(api, prefix + "Malloc")(size), sys._getframe().f_lineno
        self.assertAlmostEqual(traced() - before, size, delta=4000)
        frame = self.trace_of(size).traceback[0]
        self.assertEqual((frame.filename, frame.lineno), (__file__, line))
        block = getattr(api, prefix + "Realloc")(block, 2 * size)
        self.assertTrue(self.trace_of(2 * size))
        getattr(release_api, prefix + "Free")(block)
        self.assertAlmostEqual(traced() - before, 0, delta=40000)
        block = getattr(api, prefix + "Calloc")(size, 3)
        self.assertTrue(self.trace_of(3 * size))
        getattr(release_api, prefix + "Free")(block)

    def test_through_the_interpreters_functions(self):
        for prefix in probe.PREFIXES.values():
            with self.subTest(prefix):
                self.check(ctypes.pythonapi, ctypes.pythonapi, prefix)

    def test_through_ours(self):
        own = probe.LIBRARY
        for prefix in probe.PREFIXES.values():
            for release_api in (own, ctypes.pythonapi):
                with self.subTest(prefix):
                    self.check(own, release_api, prefix)

    def test_blocks_from_before_and_after(self):
        tracemalloc.stop()
        early = ctypes.pythonapi.PyMem_Malloc(1000)
        tracemalloc.start()
        late = ctypes.pythonapi.PyMem_Malloc(1000)
        ctypes.pythonapi.PyMem_Free(early)
        tracemalloc.stop()
        self.assertEqual(probe.owns(late), not support.FREE_THREADED)
        ctypes.pythonapi.PyMem_Free(late)

    def test_malloc_itself_is_not_traced(self):
        before = traced()
        block = probe.PROCESS.malloc(1 << 20)
        self.assertLess(traced() - before, 1 << 19)
        probe.PROCESS.free(block)

    def test_it_wraps_and_unwraps_what_is_installed(self):
        tracemalloc.stop()
        plain = [probe.allocator(domain).malloc for domain in probe.PREFIXES]
        self.assertEqual(probe.is_in_library(plain[1]), not support.FREE_THREADED)
        for _ in range(3):
            tracemalloc.start()
            hooks = [probe.allocator(domain).malloc for domain in probe.PREFIXES]
            self.assertFalse(any(map(probe.is_in_library, hooks)))
            tracemalloc.stop()
            self.assertEqual([probe.allocator(domain).malloc for domain in probe.PREFIXES], plain)


if __name__ == "__main__":
    support.main()
