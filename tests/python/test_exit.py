"""The end of an interpreter: whatever still lives, runs or is registered then, the status is right
and nothing is said on standard error."""

import signal
import textwrap

import support

ALLOCATE = """
    def allocate(n=200):
        return [(str(i), bytes(i * 7), {i: [i]}) for i in range(n)]
"""


class Exit(support.TestCase):
    def ends(self, code, *options, status=0, **settings):
        return self.code(
            textwrap.dedent(ALLOCATE) + textwrap.dedent(code),
            *options,
            status=status,
            **settings,
        )

    def test_handlers_allocate(self):
        out = self.ends("""
            import atexit, sys
            kept = allocate()
            for n in (3, 2, 1):
                atexit.register(lambda n=n: print(n, len(allocate()), len(kept)))
        """)
        self.assertEqual(out, "1 200 200\n2 200 200\n3 200 200\n")

    def test_objects_in_modules(self):
        """Some are freed when modules are cleared, some by finalisers, some never."""
        out = self.ends("""
            import builtins, gc, json, sys, types, weakref

            class Late:
                def __init__(self):
                    self.me, self.kept = self, allocate(50)
                def __del__(self, allocate=allocate, write=sys.stdout.write):
                    write("x" if len(allocate(20)) == 20 else "?")

            late = Late()
            json.late = Late()
            builtins.late = Late()
            sys.modules["late"] = types.ModuleType("late")
            sys.modules["late"].late = Late()
            gc.disable()
            Late()
            weakref.finalize(late, print, "finalised")
        """)
        self.assertIn("finalised", out)
        self.assertNotIn("?", out)
        self.assertGreaterEqual(out.count("x"), 3)

    def test_daemon_threads_still_run(self):
        for _ in range(5):
            self.ends("""
                import threading, zlib, hashlib
                started = threading.Semaphore(0)
                def work():
                    started.release()
                    while True:
                        allocate(20)
                        hashlib.sha256(zlib.compress(bytes(50000))).digest()
                for _ in range(4):
                    threading.Thread(target=work, daemon=True).start()
                for _ in range(4):
                    started.acquire()
                kept = allocate()
            """)

    def test_daemon_threads_asleep_hold_objects(self):
        self.ends("""
            import threading, time
            started = threading.Semaphore(0)
            def hold():
                kept = allocate()
                started.release()
                time.sleep(1000)
            for _ in range(20):
                threading.Thread(target=hold, daemon=True).start()
            for _ in range(20):
                started.acquire()
        """)

    def test_threads_that_are_waited_for(self):
        out = self.ends("""
            import threading, time
            def late():
                time.sleep(0.1)
                print(len(allocate()))
            threading.Thread(target=late).start()
        """)
        self.assertEqual(out, "200\n")

    def test_exit_in_a_thread(self):
        self.ends("""
            import sys, threading
            def leave():
                kept = allocate()
                sys.exit(3)
            threads = [threading.Thread(target=leave) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        """)

    def test_the_status_is_kept(self):
        self.ends("kept = allocate(); import sys; sys.exit(3)", status=3)
        self.ends("kept = allocate(); import os; os._exit(4)", status=4)
        self.ends(
            "kept = allocate(); import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
            status=-signal.SIGTERM,
        )

    def test_an_exception_is_printed_and_nothing_else(self):
        done = support.start("-c", "x = [bytes(1000)] * 100; raise KeyError('the end')")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.endswith("KeyError: 'the end'\n"), done.stderr)
        self.assertNotIn("pymem", done.stderr)

    def test_it_is_replaced(self):
        out = self.ends("""
            import os, sys
            kept = allocate()
            os.execv(sys.executable, [sys.executable, "-c", "print(sum([len('replaced')] * 10))"])
        """)
        self.assertEqual(out, "80\n")

    def test_statistics_after_the_end(self):
        done = support.start("-c", "kept = [bytes(1000)] * 100", PYMEM_CONF="stats:true")
        self.assertEqual(done.returncode, 0)
        self.assertIn("pymem: heap statistics", done.stderr)

    def test_in_the_development_mode(self):
        self.ends("kept = allocate(); kept.append(kept)", "-X", "dev")

    def test_with_everything_imported(self):
        names = "asyncio csv decimal email.mime.text http.client sqlite3 ssl xml.dom.minidom"
        self.ends(f"""
            import importlib
            for name in {names!r}.split():
                try:
                    importlib.import_module(name)
                except ImportError:
                    pass
            import logging
            logging.getLogger("x").debug(allocate())
        """)


if __name__ == "__main__":
    support.main()
