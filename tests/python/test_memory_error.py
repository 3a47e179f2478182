"""Refused memory is a MemoryError, and the program goes on after it."""

import ctypes
import textwrap

import probe
import support

# In a child: what lets it have only so many more bytes of address space.
LIMITED = """
    import resource

    ROOM = 150 * 2**20

    def limit():
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))

    def refused(function):
        try:
            function()
        except MemoryError:
            return True
        return False

    def works():
        kept = [{str(i): bytes(i)} for i in range(2000)]
        assert sum(len(k[str(i)]) for i, k in enumerate(kept)) == 1999000
        return True
"""


class TooLarge(support.TestCase):
    """Sizes that no machine has: refused at once."""

    def test_objects(self):
        for make in (
            lambda: bytes(1 << 62),
            lambda: bytearray(1 << 62),
            lambda: [None] * (1 << 59),
            lambda: "x" * (1 << 62),
            lambda: (1,) * (1 << 59),
            lambda: 1 << (1 << 64),
        ):
            with self.assertRaises((MemoryError, OverflowError)):
                make()
            self.assertEqual(len(bytes(1 << 20)), 1 << 20)

    def test_growth_leaves_the_object_as_it_was(self):
        data = bytearray(b"abc" * 1000)
        with self.assertRaises((MemoryError, OverflowError)):
            data *= 1 << 50
        self.assertEqual(data, b"abc" * 1000)

    def test_blocks(self):
        for prefix in probe.PREFIXES.values():
            malloc, calloc, realloc, free = (
                getattr(ctypes.pythonapi, prefix + name)
                for name in ("Malloc", "Calloc", "Realloc", "Free")
            )
            for size in (1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
                self.assertIsNone(malloc(size))
                self.assertIsNone(calloc(size, 2))
                self.assertIsNone(calloc(1 << 33, 1 << 33))
                block = malloc(100)
                ctypes.memset(block, 9, 100)
                self.assertIsNone(realloc(block, size))
                self.assertEqual(ctypes.string_at(block, 100), b"\t" * 100)
                free(block)


@support.with_lock_only
class Limited(support.TestCase):
    """Little address space, used up in many ways."""

    def limited(self, code, *options, at_once=True, **settings):
        start = textwrap.dedent(LIMITED) + ("limit()\n" if at_once else "")
        code = start + textwrap.dedent(code)
        self.assertEqual(self.code(code, *options, **settings), "True True\n")

    def test_one_large_block(self):
        self.limited("print(refused(lambda: bytes(2**30)), works())")

    def test_a_list_that_grows(self):
        self.limited("""
            def grow():
                items = []
                while True:
                    items += [None] * 100000
            print(refused(grow), works())
        """)

    def test_small_objects_without_end(self):
        """Until not even the smallest fits; all are freed with the list."""
        self.limited("""
            def fill():
                kept = [None] * 4000000
                for i in range(len(kept)):
                    kept[i] = b"%d" % i
            print(refused(fill) and refused(fill), works())
        """)

    def test_a_dictionary_that_grows(self):
        self.limited("""
            def grow():
                table = {}
                while True:
                    table[len(table)] = None
            print(refused(grow) and refused(grow), works())
        """)

    def test_text_and_numbers(self):
        self.limited("""
            def text():
                s = "x"
                while True: s += s
            def number():
                n = 3
                while True: n = n << n.bit_length()
            print(refused(text) and refused(number), works())
        """)

    def test_again_and_again(self):
        self.limited("""
            def grow():
                data = bytearray()
                while True:
                    data += bytes(10**6)
            print(all(refused(grow) and works() for _ in range(5)), works())
        """)

    def test_in_threads(self):
        """They have run before the limit is set; what is refused is large, for what they need in
        between has to fit whatever the others hold."""
        self.limited(
            """
            import threading
            answers = []
            limited = threading.Event()
            def grow():
                data = []
                while True:
                    data.append(bytes(2**23))
            def run():
                works()
                limited.wait()
                answers.append(refused(grow))
            # The end of the first one may load a library of the compiler's.
            first = threading.Thread(target=works)
            first.start()
            first.join()
            threads = [threading.Thread(target=run) for _ in range(3)]
            for thread in threads: thread.start()
            limit()
            limited.set()
            for thread in threads: thread.join()
            print(answers == [True] * 3, works())
            """,
            at_once=False,
        )

    def test_traced(self):
        self.limited("print(refused(lambda: bytes(2**30)), works())", "-X", "tracemalloc")

    def test_with_debug_hooks(self):
        self.limited("print(refused(lambda: bytes(2**30)), works())", PYTHONMALLOC="debug")


if __name__ == "__main__":
    support.main()
