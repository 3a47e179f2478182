"""Sub-interpreters: they allocate on the same heap, several at once where each has a lock of its
own, and their end does no harm to the others."""

import concurrent.futures
import contextlib
import importlib
import os
import sys
import textwrap
import threading
import unittest

import probe
import support

# The module's names since 3.13 and before; neither is public.
NAMES = ("_interpreters", "_xxsubinterpreters")
OWN_LOCK = sys.version_info >= (3, 12)
INTERPRETERS = 4

# Builds, drops and keeps objects; writes a line about itself to the descriptor.
JOB = """
import os

class Node:
    def __init__(self, value):
        self.value, self.me = value, self

def build(n):
    return {{str(i): [Node(i), bytes(i), ("x" * i, i * 1.5)] for i in range(n)}}

for round in range({rounds}):
    table = build(200)
    table = {{key: value[0].value for key, value in table.items()}}
kept = bytes({size} - bytes.__basicsize__)
os.write({descriptor}, b"%d %d\\n" % (id(kept), sum(table.values())))
"""


def find_module():
    for name in NAMES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise unittest.SkipTest("no sub-interpreters")


class Interpreter:
    """One sub-interpreter, under whichever name and arguments this version has for it."""

    def __init__(self, own_lock):
        self.module = find_module()
        if sys.version_info >= (3, 13):
            self.id = self.module.create("isolated" if own_lock else "legacy")
        elif OWN_LOCK:
            self.id = self.module.create(isolated=own_lock)
        else:
            self.id = self.module.create()

    def run(self, code):
        failure = self.module.run_string(self.id, code)
        if failure is not None:
            raise RuntimeError(str(failure))

    def close(self):
        self.module.destroy(self.id)


class SubInterpreters(support.TestCase):
    own_lock = False

    def setUp(self):
        find_module()
        reader, writer = os.pipe()
        self.answers, self.descriptor = os.fdopen(reader), writer
        self.addCleanup(self.answers.close)
        self.addCleanup(os.close, writer)

    def job(self, size=400, rounds=5):
        return JOB.format(size=size, rounds=rounds, descriptor=self.descriptor)

    def check_answer(self):
        """What one job has written; its object is on our heap as long as its interpreter is."""
        address, total = map(int, self.answers.readline().split())
        self.assertEqual(total, sum(range(200)))
        self.assertEqual(probe.owns(address), not support.FREE_THREADED)

    def test_one_after_the_other(self):
        for size in (100, 400, 4000, 400000):
            interpreter = Interpreter(self.own_lock)
            interpreter.run(self.job(size))
            self.check_answer()
            interpreter.close()

    def test_several_at_once(self):
        # Made by one thread: 3.11 itself hangs when one is made while another runs.
        interpreters = [Interpreter(self.own_lock) for _ in range(INTERPRETERS)]
        job = self.job(rounds=20)
        with concurrent.futures.ThreadPoolExecutor(INTERPRETERS) as executor:
            for done in [executor.submit(i.run, job) for i in interpreters]:
                done.result()
        for _ in interpreters:
            self.check_answer()
        for interpreter in interpreters:
            interpreter.close()

    def test_it_outlives_the_thread_that_used_it(self):
        interpreter = Interpreter(self.own_lock)
        for _ in range(3):
            thread = threading.Thread(target=interpreter.run, args=(self.job(),))
            thread.start()
            thread.join()
            self.check_answer()
        interpreter.run("import gc; kept = None; gc.collect()")
        interpreter.close()

    def test_an_error_in_one_is_no_end_of_the_others(self):
        broken, good = Interpreter(self.own_lock), Interpreter(self.own_lock)
        with self.assertRaises(Exception):
            broken.run("kept = [bytes(1000)] * 100; 1 / 0")
        broken.close()
        good.run(self.job())
        self.check_answer()
        good.close()

    def test_left_at_exit(self):
        code = f"""
            import sys
            sys.path.insert(0, {support.HERE!r})
            import test_subinterpreters as t
            left = [t.Interpreter({self.own_lock}) for _ in range(3)]
            for interpreter in left:
                interpreter.run(t.JOB.format(size=400, rounds=2, descriptor=1))
        """
        # Some versions have a word to say about those that are left.
        done = support.start("-W", "ignore", "-c", textwrap.dedent(code))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 3)


@unittest.skipUnless(OWN_LOCK, "one lock for all interpreters before 3.12")
class WithTheirOwnLock(SubInterpreters):
    own_lock = True

    def test_threads_that_run_one_and_then_the_main_one(self):
        """While other threads of the main one make objects, in the heap that they have in common
        with these."""
        interpreters = [Interpreter(self.own_lock) for _ in range(INTERPRETERS)]
        job = self.job(rounds=2)
        done = threading.Event()

        def build(number):
            return [{"number": n, "text": "x" * n, "list": [n] * (n % 50)} for n in range(number)]

        def take_turns(interpreter):
            kept = []
            for number in range(10):
                interpreter.run(job)
                kept.append(build(50 * number))
            return sum(map(len, kept))

        def go_on():
            count = 0
            while not done.is_set():
                count += len(build(200))
            return count

        with concurrent.futures.ThreadPoolExecutor(INTERPRETERS + 3) as executor:
            others = [executor.submit(go_on) for _ in range(3)]
            turns = [executor.submit(take_turns, i) for i in interpreters]
            concurrent.futures.wait(turns, timeout=support.LIMIT)
            done.set()
            self.assertEqual({turn.result() for turn in turns}, {50 * sum(range(10))})
            self.assertEqual({other.result() % 200 for other in others}, {0})
        for interpreter in interpreters:
            interpreter.close()


class Public(support.TestCase):
    """The module that programs use from 3.14 on."""

    def test_queue(self):
        try:
            from concurrent import interpreters
        except ImportError:
            self.skipTest("no concurrent.interpreters")
        queue = interpreters.create_queue()
        others = [interpreters.create() for _ in range(INTERPRETERS)]
        threads = [other.call_in_thread(fill, queue, index) for index, other in enumerate(others)]
        received = [queue.get(timeout=support.LIMIT) for _ in range(20 * INTERPRETERS)]
        for thread in threads:
            thread.join()
        for other in others:
            other.close()
        expected = [(i, "x" * i * n, bytes(n)) for i in range(INTERPRETERS) for n in range(20)]
        self.assertEqual(sorted(received), sorted(expected))


def fill(queue, index):
    for n in range(20):
        queue.put((index, "x" * index * n, bytes(n)))


if __name__ == "__main__":
    support.main()
