"""What an interpreter allocates comes from the library's heap."""

import array
import ctypes
import json
import os
import sys
import unittest

import probe
import support
from probe import owns

SIZES = (40, 400, 4000, 400000)


# PyGC_Head, before every object that the collector knows.
COLLECTOR_HEADER = 2 * ctypes.sizeof(ctypes.c_void_p)


@support.with_lock_only
class Objects(support.TestCase):
    def test_of_every_size(self):
        for size in SIZES:
            with self.subTest(size):
                fresh = probe.bytes_object(size)
                self.assertEqual(sys.getsizeof(fresh), size)
                self.assertTrue(owns(id(fresh)))
                self.assertFalse(owns(id(fresh) + 16))
                self.assertGreaterEqual(probe.LIBRARY.pymem_usable_size(id(fresh)), size)

    def test_of_many_kinds(self):
        for fresh in (12345**20, float("1.5e300"), "\u0100" * int("10"), bytearray(1)):
            with self.subTest(type(fresh).__name__):
                self.assertTrue(owns(id(fresh)))
        for fresh in ([], {1: 2}, {1}, lambda: None):
            with self.subTest(type(fresh).__name__):
                self.assertTrue(owns(id(fresh) - COLLECTOR_HEADER))

    def test_objects_of_a_cache_line_lie_in_one(self):
        kind = type("Kind", (), {"__slots__": ("one", "two", "three", "four")})
        fresh = [kind() for _ in range(2000)]
        self.assertEqual(sys.getsizeof(fresh[0]), 64)  # with the collector's header
        self.assertEqual({id(one) % 64 for one in fresh[1000:]}, {0})

    def test_those_of_one_type_lie_side_by_side(self):
        width = sys.getsizeof((1,)) + 8 - sys.getsizeof("")  # a word more than such a tuple
        pairs = [((number,), str(number).zfill(width)) for number in range(100000, 102000)]
        pages = [{id(one) // 4096 for one in column} for column in zip(*pairs)]
        self.assertTrue(pages[0].isdisjoint(pages[1]))

    def test_what_is_static_is_not(self):
        for known in (None, Ellipsis, int):
            self.assertFalse(owns(id(known)))

    def test_the_figures_count_them(self):
        before = probe.stats().live_blocks
        kept = [object() for _ in range(50000)]
        self.assertGreaterEqual(probe.stats().live_blocks - before, 50000)
        del kept
        self.assertLess(probe.stats().live_blocks - before, 5000)

    def test_buffers_of_objects(self):
        numbers = array.array("q", range(1000))
        self.assertTrue(owns(numbers.buffer_info()[0]))
        data = bytearray(5000)
        self.assertTrue(owns(ctypes.addressof(ctypes.c_char.from_buffer(data))))
        items = [None] * 1000
        item_array = ctypes.c_void_p.from_address(id(items) + items.__class__.__basicsize__ - 16)
        self.assertTrue(owns(item_array.value))

    def test_growing_moves_within_the_heap(self):
        data = bytearray()
        for size in range(0, 300000, 7777):
            data += bytes([size % 251]) * 7777
            self.assertTrue(owns(ctypes.addressof(ctypes.c_char.from_buffer(data))))
        self.assertEqual(data[7777 * 30], 7777 * 30 % 251)


class Blocks(support.TestCase):
    def allocations(self):
        """Each of the functions that allocate: its name, a call for so many bytes, and its free."""
        for domain, prefix in probe.PREFIXES.items():
            if domain != "raw" and support.FREE_THREADED:
                continue
            malloc, calloc, realloc, free = (
                getattr(ctypes.pythonapi, prefix + name)
                for name in ("Malloc", "Calloc", "Realloc", "Free")
            )
            yield prefix + "Malloc", malloc, free
            yield prefix + "Calloc", lambda size, calloc=calloc: calloc(size // 8, 8), free
            yield prefix + "Realloc", lambda size, realloc=realloc: realloc(None, size), free
        yield "malloc", probe.PROCESS.malloc, probe.PROCESS.free
        yield "calloc", lambda size: probe.PROCESS.calloc(size // 8, 8), probe.PROCESS.free

    def test_of_every_function(self):
        for name, allocate, release in self.allocations():
            for size in SIZES:
                with self.subTest(name=name, size=size):
                    block = allocate(size)
                    self.assertTrue(owns(block))
                    ctypes.memset(block, 0xA5, size)
                    release(block)

    def test_our_own_functions_are_the_interpreters(self):
        for domain, prefix in probe.PREFIXES.items():
            with self.subTest(domain):
                block = getattr(probe.LIBRARY, prefix + "Malloc")(1000)
                self.assertEqual(owns(block), domain == "raw" or not support.FREE_THREADED)
                getattr(ctypes.pythonapi, prefix + "Free")(block)
                block = getattr(ctypes.pythonapi, prefix + "Malloc")(1000)
                getattr(probe.LIBRARY, prefix + "Free")(block)

    @support.with_lock_only
    def test_of_the_arena_allocator(self):
        arenas = probe.Arenas()
        ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(arenas))
        self.assertTrue(probe.is_in_library(arenas.alloc))
        take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(arenas.alloc)
        give = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
            arenas.free
        )
        arena = take(arenas.ctx, 1 << 18)
        self.assertTrue(owns(arena))
        ctypes.memset(arena, 1, 1 << 18)
        give(arenas.ctx, arena, 1 << 18)


class Processes(support.TestCase):
    def test_a_child_inherits(self):
        answer = json.loads(self.python(os.path.join(support.HERE, "probe.py")))
        self.assertEqual(answer, probe.ownership())

    @unittest.skipUnless(os.path.exists(support.TOOL), "no pymem command")
    def test_under_the_command(self):
        command = (support.TOOL, "run", "--library=" + support.LIBRARY, sys.executable)
        done = support.start(os.path.join(support.HERE, "probe.py"), preload=False, program=command)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout), probe.ownership())

    def test_what_was_done_is_said_when_asked_for(self):
        done = support.start("-c", "", PYMEM_CONF="verbose:true")
        version = ".".join(map(str, sys.version_info[:3]))
        what = ": all domains are served by this heap"
        if support.FREE_THREADED:
            what = " (free-threading): the RAW domain is served by this heap"
        lines = [line for line in done.stderr.splitlines() if "CPython" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith(f"pymem: CPython {version}"), lines)
        self.assertTrue(lines[0].endswith(what), lines)

    def test_without_the_library_nothing_is_ours(self):
        answer = json.loads(self.python(os.path.join(support.HERE, "probe.py"), preload=False))
        for name in ("small", "large", "raw", "mem", "obj"):
            self.assertFalse(answer[name])


if __name__ == "__main__":
    support.main()
