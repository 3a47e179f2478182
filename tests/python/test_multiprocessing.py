"""Processes: pools of every start method pass objects, a fork while threads allocate leaves a child
that can allocate, concurrent.futures and shared memory work."""

import concurrent.futures
import gc
import hashlib
import multiprocessing
import multiprocessing.shared_memory
import os
import signal
import threading

import probe
import support

FORKS = 40


def pieces(seed):
    """Objects of many kinds and sizes; the same for the same seed."""
    return {
        "text": [str(seed) * n for n in range(0, 300, 7)],
        "data": bytes(i * seed % 251 for i in range(5000)),
        "nested": {(seed, i): [i, {str(i): None}] for i in range(50)},
        "number": 7919 ** (seed % 50 + 1),
    }


def digest(objects):
    return hashlib.sha256(repr(objects).encode()).hexdigest()


def work(task):
    """In a worker: what came over, something new to send back, and whose heap it is on."""
    seed, objects = task
    return digest(objects), pieces(seed + 1), probe.ownership()


class Pools(support.TestCase):
    def check(self, results):
        mine = probe.ownership()
        for seed, (sum_of_sent, objects, ownership) in enumerate(results):
            self.assertEqual(sum_of_sent, digest(pieces(seed)))
            self.assertEqual(objects, pieces(seed + 1))
            self.assertEqual(ownership, mine)

    def pool(self, method):
        tasks = [(seed, pieces(seed)) for seed in range(12)]
        with multiprocessing.get_context(method).Pool(2) as pool:
            self.check(pool.map(work, tasks, chunksize=3))
            pool.close()
            pool.join()

    def test_fork(self):
        self.pool("fork")

    def test_spawn(self):
        self.pool("spawn")

    def test_forkserver(self):
        self.pool("forkserver")

    def test_executor(self):
        tasks = [(seed, pieces(seed)) for seed in range(12)]
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            self.check(executor.map(work, tasks))

    def test_shared_memory(self):
        memory = multiprocessing.shared_memory.SharedMemory(create=True, size=100000)
        try:
            process = multiprocessing.get_context("fork").Process(target=fill, args=(memory.name,))
            process.start()
            process.join()
            self.assertEqual(process.exitcode, 0)
            self.assertEqual(bytes(memory.buf[:100000]), b"\x5a" * 100000)
        finally:
            memory.close()
            memory.unlink()


def fill(name):
    memory = multiprocessing.shared_memory.SharedMemory(name)
    memory.buf[:100000] = b"\x5a" * 100000
    memory.close()


class Forks(support.TestCase):
    def child(self, inherited, expected):
        """In the child of a fork: what was there is whole, and the heap serves it."""
        signal.alarm(30)
        good = digest(inherited) == expected
        inherited.clear()
        gc.collect()
        good = good and digest(pieces(3)) == digest(pieces(3))
        thread = threading.Thread(target=pieces, args=(4,))
        thread.start()
        thread.join()
        os._exit(0 if good else 1)

    def test_while_threads_allocate(self):
        stop = threading.Event()
        rounds = [0] * 4

        def churn(index):
            while not stop.is_set():
                kept = (pieces(index), bytes(70000), [object() for _ in range(300)])
                # Runs without the interpreter's lock, so that forks come upon the heap in use.
                hashlib.sha256(bytearray(200000)).digest()
                rounds[index] += len(kept) // 3

        threads = [threading.Thread(target=churn, args=(i,)) for i in range(len(rounds))]
        for thread in threads:
            thread.start()
        try:
            for number in range(FORKS):
                inherited = pieces(number)
                expected = digest(inherited)
                pid = os.fork()
                if pid == 0:
                    self.child(inherited, expected)
                self.assertEqual(os.waitpid(pid, 0)[1], 0, f"fork {number}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertTrue(all(rounds), rounds)

    def test_a_child_forks_in_turn(self):
        kept = pieces(1)
        for depth in range(5):
            pid = os.fork()
            if pid:
                status = os.waitpid(pid, 0)[1]
                if depth:
                    os._exit(0 if status == 0 and kept == pieces(1) else 1)
                self.assertEqual(status, 0)
                return
        os._exit(0 if kept == pieces(1) and probe.ownership()["malloc"] else 1)


if __name__ == "__main__":
    support.main()
