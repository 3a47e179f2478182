"""An extension module and the interpreter hand each other's memory over: what either has allocated
the other frees, in every domain, also with the debug hooks and in an interpreter of libpython."""

import ctypes
import gc
import importlib.util
import os
import random
import subprocess
import sys
import textwrap
import threading
import unittest

import probe
import support

SIZES = (1, 16, 100, 511, 512, 513, 4000, 70000, 3000000)
# With the debug hooks, or in parts of a free-threaded interpreter, blocks are not ours.
SERVED = probe.ownership()


def setUpModule():
    global extension, path
    path = os.environ.get("PYMEM_TEST_EXTENSION")
    if path is None:
        flags = ("-shared", "-fPIC", "-pthread", "-isystem", support.find_header())
        path = os.path.join(support.folder(unittest.addModuleCleanup), "extension.so")
        support.compile_c("extension.c", path, *flags)
    spec = importlib.util.spec_from_file_location("extension", path)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)


def interpreters(domain, call):
    """One of the domain's functions, or malloc's, as the interpreter's ctypes finds it."""
    if domain == "malloc":
        return getattr(probe.PROCESS, call.lower())
    return getattr(ctypes.pythonapi, probe.PREFIXES[domain] + call)


DOMAINS = (*probe.PREFIXES, "malloc")


class Extension(support.TestCase):
    def test_the_interpreter_frees_what_the_extension_has_allocated(self):
        for domain in DOMAINS:
            for size in SIZES:
                block = extension.allocate(domain, size)
                self.assertEqual(probe.owns(block), SERVED[domain])
                self.assertEqual(ctypes.string_at(block, size), bytes([size % 256]) * size)
                interpreters(domain, "Free")(block)

    def test_the_extension_frees_what_the_interpreter_has_allocated(self):
        for domain in DOMAINS:
            for size in SIZES:
                block = interpreters(domain, "Malloc")(size)
                extension.release(domain, block)

    def test_either_resizes_the_others(self):
        seed = int(os.environ.get("PYMEM_TEST_SEED", random.randrange(1 << 30)))
        print(f"PYMEM_TEST_SEED={seed}", end=" ")
        dice = random.Random(seed)
        for domain in probe.PREFIXES:
            block, size = extension.allocate(domain, 77), 77
            for _ in range(100):
                new_size = dice.choice(SIZES) + dice.randrange(16)
                call = dice.choice(
                    (lambda b, n: extension.resize(domain, b, n), interpreters(domain, "Realloc"))
                )
                block = call(block, new_size)
                kept = min(size, new_size, 77)
                self.assertEqual(ctypes.string_at(block, kept), bytes([77]) * kept)
                ctypes.memset(block, 77, min(new_size, 77))
                size = new_size
            extension.release(domain, block)

    def test_blocks_that_the_interpreter_hands_out(self):
        """The functions whose result is the caller's to free."""
        api = ctypes.pythonapi
        text = "a text with \u0100 in it" * 50
        wide = api.PyUnicode_AsWideCharString
        wide.restype, wide.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_void_p)
        block = wide(text, None)
        self.assertEqual(probe.owns(block), SERVED["mem"])
        self.assertEqual(ctypes.wstring_at(block), text)
        extension.release("mem", block)
        decode = api.Py_DecodeLocale
        decode.restype, decode.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_void_p)
        block = decode(b"plain" * 200, None)
        self.assertEqual(probe.owns(block), SERVED["raw"])
        extension.release("raw", block)
        encode = api.Py_EncodeLocale
        encode.restype, encode.argtypes = ctypes.c_void_p, (ctypes.c_wchar_p, ctypes.c_void_p)
        block = encode("plain" * 200, None)
        self.assertEqual(ctypes.string_at(block), b"plain" * 200)
        extension.release("mem", block)

    def test_a_line_that_the_interpreter_frees(self):
        """PyOS_ReadlineFunctionPointer: asked when standard input and output are terminals."""
        code = f"""
            import importlib.util as u
            spec = u.spec_from_file_location("extension", {path!r})
            extension = u.module_from_spec(spec)
            spec.loader.exec_module(extension)
            extension.hook_readline()
            for _ in range(100):
                assert input() == "from the extension"
        """
        master, slave = os.openpty()
        try:
            done = subprocess.run(
                (sys.executable, "-c", textwrap.dedent(code)),
                env=support.environment(),
                stdin=slave,
                stdout=slave,
                stderr=subprocess.PIPE,
                timeout=support.LIMIT,
            )
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_capsules_free_what_they_hold(self):
        for domain in DOMAINS:
            capsules = [extension.capsule(domain, size) for size in SIZES]
            capsules.append(capsules)
            del capsules
            gc.collect()
        # The last one is freed by a thread, in another that has ended.
        kept = [extension.capsule("mem", 5000)]
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
        self.assertEqual(kept, [])

    def test_objects_that_the_interpreter_frees(self):
        for size in SIZES:
            rows = [extension.make_row(size) for _ in range(3)]
            self.assertEqual({type(row) for row in rows}, {extension.Row})
            self.assertEqual(probe.owns(id(rows[0])), SERVED["obj"])

    def test_subclasses_of_its_types(self):
        class Row(extension.Row):
            def __init__(self):
                self.kept = [bytes(1000), self]

        rows = [Row() for _ in range(1000)]
        self.assertIs(rows[999].kept[1], rows[999])
        del rows
        self.assertGreaterEqual(gc.collect(), 1000)

    def test_objects_of_the_collector(self):
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                self.assertGreaterEqual(extension.leave_ring(300), 300)
            self.assertEqual(extension.count_nodes(), 3000)
        finally:
            gc.enable()
        gc.collect()
        self.assertEqual(extension.count_nodes(), 0)

    def test_objects_that_move(self):
        for before in SIZES:
            for after in SIZES:
                data = extension.resized_bytes(before, after)
                self.assertEqual(len(data), after)
                self.assertEqual(data[: min(before, after)].strip(b"a"), b"")
                self.assertEqual(data[before:].strip(b"b"), b"")

    def test_threads_without_the_interpreters_lock(self):
        for _ in range(3):
            self.assertTrue(extension.exchange_in_threads())

    def test_a_profiler_wraps_and_unwraps(self):
        names = ("malloc", "calloc", "realloc", "free")
        before = [extension.allocate(domain, 1000) for domain in probe.PREFIXES]
        plain = [[getattr(probe.allocator(d), name) for name in names] for d in probe.PREFIXES]
        extension.hook()
        after = [extension.allocate(domain, 1000) for domain in probe.PREFIXES]
        for domain, block in zip(probe.PREFIXES, before):
            extension.release(domain, block)
        kept = [bytes(n) for n in range(1000)]
        # Ours lead to the same place.
        probe.LIBRARY.PyMem_RawFree(probe.LIBRARY.PyMem_RawMalloc(100))
        probe.LIBRARY.PyMem_Free(probe.LIBRARY.PyMem_Malloc(100))
        raw, mem, obj = extension.unhook()
        self.assertGreaterEqual(raw, 2)
        self.assertGreaterEqual(mem, 2)
        self.assertGreaterEqual(obj, 1000)
        for domain, block in zip(probe.PREFIXES, after):
            extension.release(domain, block)
        del kept
        self.assertEqual(
            [[getattr(probe.allocator(d), name) for name in names] for d in probe.PREFIXES], plain
        )


class Again(support.TestCase):
    """The same in other interpreters: there, freeing by the wrong name would be fatal."""

    def again(self, **settings):
        done = support.start(__file__, "Extension", PYMEM_TEST_EXTENSION=path, **settings)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("pymem: ", done.stderr)

    def test_with_debug_hooks(self):
        self.again(PYTHONMALLOC="debug")

    @support.with_lock_only
    def test_with_debug_hooks_on_malloc(self):
        self.again(PYTHONMALLOC="malloc_debug")

    def test_with_tracemalloc(self):
        self.again(PYTHONTRACEMALLOC="3")

    def test_in_libpython(self):
        if support.is_in_libpython():
            self.skipTest("this interpreter is in libpython already")
        program = os.path.join(support.folder(self.addCleanup), "python")
        support.compile_linked("embed_linked.c", program)
        self.again(program=(program,), PYTHONHOME=support.HOME)


if __name__ == "__main__":
    support.main()
