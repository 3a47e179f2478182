"""The collector, weak references, sizes, deep recursion and generators: what the interpreter does
with its memory gives the same results on this heap."""

import asyncio
import copy
import gc
import json
import pickle
import sys
import threading
import unittest
import weakref

import support

# From 3.11 on calls of Python functions do not use the C stack, but memory of the arena allocator.
DEPTH = 50000 if sys.version_info >= (3, 11) else 2000


class Node:
    def __init__(self, value=None):
        self.value = value
        self.others = [self]


class Collector(unittest.TestCase):
    def test_cycles(self):
        gc.collect()
        ends = []
        for i in range(2000):
            first, second = Node(i), Node(bytes(i))
            first.other, second.other = second, first
            weakref.finalize(first, ends.append, i)
        del first, second
        gc.collect()
        self.assertEqual(sorted(ends), list(range(2000)))

    def test_finalisers_that_allocate_and_revive(self):
        revived = []

        class Phoenix(Node):
            def __del__(self):
                self.value = [bytes(n) for n in range(100)]
                revived.append(self)

        for _ in range(100):
            Phoenix()
        gc.collect()
        self.assertEqual(len(revived), 100)
        self.assertEqual({len(phoenix.value) for phoenix in revived}, {100})
        revived.clear()
        gc.collect()

    def test_freeze(self):
        kept = [Node(i) for i in range(1000)]
        gc.freeze()
        try:
            self.assertGreater(gc.get_freeze_count(), 1000)
            kept.clear()
            gc.collect()
        finally:
            gc.unfreeze()
        self.assertGreaterEqual(gc.collect(), 1000)

    def test_weak_references(self):
        table, calls = weakref.WeakValueDictionary(), []
        kept = [Node(i) for i in range(1000)]
        for node in kept:
            node.others.clear()
            table[node.value] = node
        references = [weakref.ref(node, calls.append) for node in kept]
        del kept[::2], node
        gc.collect()
        self.assertEqual(len(calls), 500)
        self.assertEqual(sorted(table), list(range(1, 1000, 2)))
        self.assertEqual(sum(reference() is None for reference in references), 500)

    def test_low_thresholds(self):
        before = gc.get_threshold()
        gc.set_threshold(3, 2, 2)
        try:
            kept = [Node({i: Node()}) for i in range(500)]
        finally:
            gc.set_threshold(*before)
        self.assertEqual([list(node.value) for node in kept], [[i] for i in range(500)])


class Sizes(support.TestCase):
    CODE = """
        import array, collections, json, sys
        class Plain: pass
        class Slotted: __slots__ = ("a", "b")
        made = [
            object(), 1, 1 << 200, 1.5, 2j, "x" * 100, "\\u0100" * 100, b"x" * 1000, [], [1] * 1000,
            (), (1,) * 50, {}, dict.fromkeys(range(1000)), set(range(1000)), bytearray(1000),
            array.array("q", range(100)), collections.deque(range(100)), Plain(), Slotted(),
            slice(1), range(3), lambda: 1, iter([]), type("New", (), {}),
        ]
        grown = []
        sizes = []
        for i in range(3000):
            grown.append(i)
            sizes.append(sys.getsizeof(grown))
        print(json.dumps([[type(m).__name__, sys.getsizeof(m)] for m in made] + sizes))
    """

    def test_as_without_the_library(self):
        sizes = json.loads(self.code(self.CODE))
        self.assertGreater(len(sizes), 3000)
        self.assertEqual(sizes, json.loads(self.code(self.CODE, preload=False)))


def descend(depth):
    return 1 + descend(depth - 1) if depth else 0


def in_thread(body):
    results = []
    thread = threading.Thread(target=lambda: results.append(body()))
    thread.start()
    thread.join()
    return results[0]


class Frames(unittest.TestCase):
    def setUp(self):
        self.addCleanup(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(DEPTH + 1000)

    def test_deep_recursion(self):
        for _ in range(3):
            self.assertEqual(descend(DEPTH), DEPTH)

    def test_deep_recursion_in_threads(self):
        for _ in range(3):
            self.assertEqual(in_thread(lambda: descend(DEPTH // 2)), DEPTH // 2)

    def test_too_deep(self):
        with self.assertRaises(RecursionError):
            descend(2 * DEPTH)
        self.assertEqual(descend(100), 100)

    def test_frames_that_outlive_the_call(self):
        def hold(depth):
            if depth == 0:
                raise KeyError(depth)
            kept = [depth] * 10
            hold(depth - 1)
            return kept

        errors = []
        for _ in range(20):
            try:
                hold(500)
            except KeyError as error:
                errors.append(error)
        for error in errors:
            depth, trace = 0, error.__traceback__
            while trace is not None:
                kept = trace.tb_frame.f_locals.get("kept")
                self.assertTrue(kept is None or len(kept) == 10)
                depth, trace = depth + 1, trace.tb_next
            self.assertEqual(depth, 502)

    def test_generators(self):
        def count(n):
            kept = [n] * n
            for i in range(n):
                yield i + len(kept)

        running = [count(n % 50) for n in range(3000)]
        for generator in running:
            next(generator, None)
        # Some are finished by another thread, the others dropped where they stand.
        sums = in_thread(lambda: [sum(generator) for generator in running[::2]])
        expected = [sum(range(n + 1, 2 * n)) for n in (m % 50 for m in range(0, 3000, 2))]
        self.assertEqual(sums, expected)
        running.clear()

    def test_nested_generators(self):
        def nest(depth):
            yield depth
            if depth:
                yield from nest(depth - 1)

        self.assertEqual(list(nest(500)), list(range(500, -1, -1)))

    def test_coroutines(self):
        async def work(number):
            kept = [number] * 10
            await asyncio.sleep(0)
            return sum(kept)

        async def everything():
            return await asyncio.gather(*(work(number) for number in range(1000)))

        self.assertEqual(asyncio.run(everything()), [10 * number for number in range(1000)])


class Copies(unittest.TestCase):
    def test_deep_copies_and_pickles(self):
        kept = {i: [str(i), (i, bytes(i)), {i, i + 1}] for i in range(500)}
        kept["me"] = kept
        for again in (copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
            self.assertIs(again.pop("me"), again)
            self.assertEqual(len(again), 500)
            self.assertEqual(again, {i: kept[i] for i in range(500)})


if __name__ == "__main__":
    support.main()
