"""The library loaded by an interpreter that is running already: it leaves the interpreter as it is,
and its own functions lead into it."""

import json
import sys
import textwrap

import support

# What a script does first: the library, loaded late.
LOAD = """
    import ctypes, json, tracemalloc
    early = ctypes.pythonapi.PyMem_Malloc
    early.restype, early.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    early = early(1000)
    import probe
    own, api = probe.LIBRARY, ctypes.pythonapi
"""


class Late(support.TestCase):
    def late(self, code, *options, **settings):
        code = textwrap.dedent(LOAD) + textwrap.dedent(code)
        return self.code(code, *options, preload=False, **settings)

    def test_it_is_said_when_asked_for(self):
        code = textwrap.dedent(LOAD)
        done = support.start("-c", code, preload=False, PYMEM_CONF="verbose:true")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stderr.splitlines() if "CPython" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        version = ".".join(map(str, sys.version_info[:3]))
        self.assertTrue(lines[0].startswith(f"pymem: CPython {version}"), lines)
        self.assertIn("found too late", lines[0])

    def test_nothing_is_served_by_us(self):
        answer = json.loads(self.late("print(json.dumps(probe.ownership()))"))
        for name in ("small", "large", "malloc", "raw", "mem", "obj"):
            self.assertFalse(answer[name], name)
            self.assertFalse(answer.get(name + " installed", False), name)

    def test_blocks_go_both_ways(self):
        self.late("""
            own.PyMem_Free(early)
            for prefix in probe.PREFIXES.values():
                for size in (1, 100, 512, 513, 5000, 300000):
                    for one, other in ((own, api), (api, own), (own, own)):
                        block = getattr(one, prefix + "Malloc")(size)
                        assert block and not probe.owns(block)
                        ctypes.memset(block, 7, size)
                        block = getattr(other, prefix + "Realloc")(block, 2 * size)
                        assert ctypes.string_at(block, size) == b"\\x07" * size
                        getattr(one, prefix + "Free")(block)
                        block = getattr(one, prefix + "Calloc")(size, 3)
                        assert ctypes.string_at(block, 3 * size) == bytes(3 * size)
                        getattr(other, prefix + "Free")(block)
        """)

    def test_with_debug_hooks(self):
        """A wrong domain or heap would be fatal."""
        self.late(
            """
            own.PyMem_Free(early)
            for prefix in probe.PREFIXES.values():
                block = getattr(own, prefix + "Malloc")(100)
                getattr(api, prefix + "Free")(block)
                block = getattr(api, prefix + "Malloc")(100)
                getattr(own, prefix + "Free")(getattr(own, prefix + "Realloc")(block, 5000))
        """,
            PYTHONMALLOC="debug",
        )

    def test_its_allocators_are_those_that_we_name(self):
        self.late("""
            for domain in probe.PREFIXES:
                ours, theirs = probe.allocator(domain, own), probe.allocator(domain, api)
                for name in ("ctx", "malloc", "calloc", "realloc", "free"):
                    assert getattr(ours, name) == getattr(theirs, name), (domain, name)
                assert not probe.is_in_library(ours.malloc)
            ours, theirs = probe.Arenas(), probe.Arenas()
            own.PyObject_GetArenaAllocator(ctypes.byref(ours))
            api.PyObject_GetArenaAllocator(ctypes.byref(theirs))
            assert (ours.alloc, ours.free) == (theirs.alloc, theirs.free)
        """)

    def test_tracing_sees_our_functions(self):
        self.late("""
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            block = own.PyMem_Malloc(1 << 20)
            assert tracemalloc.get_traced_memory()[0] - before >= 1 << 20
            api.PyMem_Free(block)
            assert tracemalloc.get_traced_memory()[0] - before < 1 << 19
        """)

    def test_to_all_the_process(self):
        """With its names before nobody's: what was bound stays bound."""
        self.late("""
            import json, threading
            ctypes.CDLL(own._name, mode=ctypes.RTLD_GLOBAL)
            import decimal, sqlite3
            kept = [json.loads(json.dumps({str(i): [i] * 50})) for i in range(500)]
            thread = threading.Thread(target=kept.clear)
            thread.start()
            thread.join()
            assert not kept
        """)

    def test_it_is_unloaded_as_far_as_that_goes(self):
        self.late("""
            import _ctypes
            _ctypes.dlclose(own._handle)
            block = own.PyMem_Malloc(100)
            api.PyMem_Free(block)
        """)


if __name__ == "__main__":
    support.main()
