"""Threads: objects that one makes and another frees, threads that come and go, work done without
the interpreter's lock."""

import collections
import concurrent.futures
import contextlib
import ctypes
import hashlib
import queue
import threading
import zlib

import probe
import support

THREADS = 6


def in_threads(count, body):
    """Runs body(index) in so many threads; an exception in one of them is raised here."""
    with concurrent.futures.ThreadPoolExecutor(count) as executor:
        for done in [executor.submit(body, index) for index in range(count)]:
            done.result()


class Handover(support.TestCase):
    def test_a_ring_of_queues(self):
        """Each thread frees what its neighbour has made, in sizes of every kind."""
        queues = [queue.Queue(maxsize=50) for _ in range(THREADS)]

        def turn(index):
            source, target = queues[index], queues[(index + 1) % THREADS]
            for number in range(300):
                size = number * 37 % 5000 + (100000 if number % 50 == 0 else 0)
                target.put((size, bytes([index]) * size, [str(number)] * (number % 20), {number}))
                size, data, words, numbers = source.get()
                self.assertEqual(len(data), size)
                self.assertEqual(data, data[:1] * size)
                self.assertEqual(words, [str(n) for n in numbers] * (number % 20))

        in_threads(THREADS, turn)

    def test_a_makers_objects_outlive_it(self):
        kept = collections.deque()

        def make(index):
            for number in range(500):
                kept.append((index, number, [index] * number, str(number) * 10))

        in_threads(THREADS, make)
        self.assertEqual(len(kept), 500 * THREADS)

        def release(_):
            for _ in range(500):
                index, number, items, text = kept.popleft()
                self.assertEqual((items, text), ([index] * number, str(number) * 10))

        in_threads(THREADS, release)

    def test_blocks_of_every_domain(self):
        blocks = queue.Queue()
        # The ones that may do so run without the interpreter's lock.
        unlocked = probe.declare(ctypes.CDLL(None))
        locked = ctypes.pythonapi
        functions = {
            "raw": (unlocked.PyMem_RawMalloc, unlocked.PyMem_RawFree),
            "mem": (locked.PyMem_Malloc, locked.PyMem_Free),
            "malloc": (probe.PROCESS.malloc, probe.PROCESS.free),
        }
        sizes = range(1, 2000, 7)

        def make(_):
            for size in sizes:
                for name, (allocate, _) in functions.items():
                    blocks.put((name, allocate(size)))

        def release(_):
            with contextlib.suppress(queue.Empty):
                while True:
                    name, block = blocks.get_nowait()
                    functions[name][1](block)

        in_threads(THREADS, make)
        self.assertEqual(blocks.qsize(), THREADS * len(functions) * len(sizes))
        for name, served in probe.ownership().items():
            if name in functions:
                made = {probe.owns(block) for other, block in blocks.queue if other == name}
                self.assertEqual(made, {served}, name)
        in_threads(THREADS, release)
        self.assertTrue(blocks.empty())


class ManyThreads(support.TestCase):
    def test_short_ones(self):
        done = []

        def short(number):
            local = threading.local()
            local.kept = [str(number)] * 100
            done.append(sum(map(len, local.kept)) // len(str(number)))

        for number in range(0, 1000, 10):
            threads = [threading.Thread(target=short, args=(number + i,)) for i in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(done, [100] * 1000)

    def test_many_at_once(self):
        barrier = threading.Barrier(80)
        sums = []

        def meet():
            kept = [bytes(n) for n in range(200)]
            barrier.wait(timeout=support.LIMIT)
            sums.append(sum(map(len, kept)))

        threads = [threading.Thread(target=meet) for _ in range(barrier.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sums, [sum(range(200))] * barrier.parties)

    @support.with_lock_only
    def test_forty_have_no_forty_heaps(self):
        """Each makes an object of every size: if each did so in pools of its own they would be
        more than twenty a thread."""
        barrier = threading.Barrier(41)

        def meet():
            kept = [bytes(n) for n in range(20, 600, 10)]
            barrier.wait(timeout=support.LIMIT)
            barrier.wait(timeout=support.LIMIT)
            return kept

        before = probe.stats().pools
        with concurrent.futures.ThreadPoolExecutor(40) as executor:
            kept = [executor.submit(meet) for _ in range(40)]
            barrier.wait(timeout=support.LIMIT)
            made = probe.stats().pools - before
            barrier.wait(timeout=support.LIMIT)
            self.assertTrue(all(len(each.result()) == 58 for each in kept))
        self.assertLess(made, 10 * 40)

    def test_work_without_the_lock(self):
        data = [bytes((i * k) % 256 for i in range(20000)) for k in range(1, 5)] * 5
        expected = [(zlib.compress(d), hashlib.sha256(d).digest()) for d in data]

        def press(_):
            for piece, (pressed, digest) in zip(data, expected):
                self.assertEqual(zlib.compress(piece), pressed)
                self.assertEqual(zlib.decompress(pressed), piece)
                self.assertEqual(hashlib.sha256(piece).digest(), digest)

        in_threads(THREADS, press)


if __name__ == "__main__":
    support.main()
