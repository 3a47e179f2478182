"""An explicit choice of the interpreter's own allocators wins over the library, wherever it is
made; what they take from malloc is ours all the same."""

import json
import shutil
import signal
import sysconfig
import textwrap

import probe
import support

DOMAINS = ("raw", "mem", "obj")
# Prints the answers of the probe at the end of a job that allocates in every domain.
JOB = """
    import json, probe, re
    text = json.dumps([{"key %d" % i: [i, str(i), i / 3] for i in range(50)}] * 50)
    assert json.loads(text)[0]["key 7"] == [7, "7", 7 / 3]
    assert len(re.findall("key [0-9]+", text)) == 2500
    assert sorted({i * 7919 % 10007 for i in range(10007)}) == list(range(10007))
    print(json.dumps(probe.ownership()))
"""


class Choice(support.TestCase):
    def job(self, *options, **variables):
        return json.loads(self.code(JOB, *options, **variables))

    def assert_left_to_the_interpreter(self, answer):
        for domain in DOMAINS:
            self.assertFalse(answer[domain + " installed"], domain)
        self.assertTrue(answer["malloc"])

    def assert_served(self, answer):
        self.assertEqual(answer, probe.ownership())
        self.assertTrue(answer["raw installed"])

    def test_none(self):
        self.assert_served(self.job())
        self.assert_served(self.job(PYTHONMALLOC=""))

    @support.with_lock_only
    def test_malloc(self):
        answer = self.job(PYTHONMALLOC="malloc")
        self.assert_left_to_the_interpreter(answer)
        for name in ("small", "large", *DOMAINS):
            self.assertTrue(answer[name], name)

    @support.with_lock_only
    def test_pymalloc(self):
        for value in ("pymalloc", "default"):
            with self.subTest(value):
                answer = self.job(PYTHONMALLOC=value)
                self.assert_left_to_the_interpreter(answer)
                self.assertFalse(answer["small"])
                self.assertFalse(answer["obj"])
                self.assertTrue(answer["large"])
                self.assertTrue(answer["raw"])

    def test_mimalloc(self):
        if not sysconfig.get_config_var("WITH_MIMALLOC"):
            self.skipTest("no mimalloc in the interpreter")
        answer = self.job(PYTHONMALLOC="mimalloc")
        self.assert_left_to_the_interpreter(answer)
        self.assertFalse(answer["small"])
        self.assertFalse(answer["large"])
        self.assertTrue(answer["raw"])

    @support.with_lock_only
    def test_malloc_with_debug_hooks(self):
        answer = self.job(PYTHONMALLOC="malloc_debug")
        self.assert_left_to_the_interpreter(answer)
        self.assertFalse(answer["raw"])
        self.assertEqual(answer["headers"], 1)

    def test_debug_hooks(self):
        mimalloc = support.FREE_THREADED
        for options, variables in (
            ((), {"PYTHONMALLOC": "debug"}),
            ((), {"PYTHONMALLOC": "mimalloc_debug" if mimalloc else "pymalloc_debug"}),
            (("-X", "dev"), {}),
            ((), {"PYTHONDEVMODE": "1"}),
        ):
            with self.subTest(options=options, variables=variables):
                answer = self.job(*options, **variables)
                self.assert_left_to_the_interpreter(answer)
                for block in ("small", "large", *DOMAINS):
                    self.assertFalse(answer[block], block)
                # pymalloc passes large ones on from OBJ to RAW, which has hooks as well.
                self.assertEqual(answer["headers"], None if mimalloc else 2)

    def test_a_choice_beside_the_development_mode(self):
        value = "mimalloc" if support.FREE_THREADED else "malloc"
        answer = self.job("-X", "dev", PYTHONMALLOC=value)
        self.assert_left_to_the_interpreter(answer)
        self.assertTrue(answer["raw"])

    def test_an_ignored_environment_is_no_choice(self):
        path = f"import sys; sys.path.insert(0, {support.HERE!r})\n"
        for option in ("-E", "-I"):
            with self.subTest(option):
                code = path + textwrap.dedent(JOB)
                answer = json.loads(self.code(code, option, PYTHONMALLOC="debug"))
                self.assert_served(answer)


class Hooks(support.TestCase):
    """The debug hooks do their work; without them the heap bears what they would not."""

    OVERRUN = """
        import ctypes, probe
        block = ctypes.pythonapi.PyMem_Malloc(24)
        ctypes.memset(block, 1, 25)
        ctypes.pythonapi.PyMem_Free(block)
    """
    OTHER_DOMAIN = """
        import ctypes, probe
        ctypes.pythonapi.PyObject_Free(ctypes.pythonapi.PyMem_Malloc(24))
        ctypes.pythonapi.PyMem_RawFree(ctypes.pythonapi.PyObject_Malloc(4000))
    """

    def dies(self, code, text):
        done = support.start("-c", textwrap.dedent(code), PYTHONMALLOC="debug")
        self.assertEqual(done.returncode, -signal.SIGABRT, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertNotIn("pymem:", done.stderr)

    def test_they_see_an_overrun(self):
        self.dies(self.OVERRUN, "bad trailing pad byte")

    def test_they_see_another_domain(self):
        self.dies(self.OTHER_DOMAIN, "bad ID")

    def test_those_of_a_debug_build_stay(self):
        build = shutil.which("python3-dbg")
        if build is None:
            self.skipTest("no debug build")
        probe_only = "import ctypes, probe; print(probe.ownership()['raw'])"
        told = support.start("-c", probe_only, program=(build, "-B"), PYMEM_VERBOSE="1")
        self.assertIn("all domains are served", told.stderr)
        for code, text in ((self.OVERRUN, "bad trailing pad"), (self.OTHER_DOMAIN, "bad ID")):
            done = support.start("-c", textwrap.dedent(code), program=(build, "-B"))
            self.assertEqual(done.returncode, -signal.SIGABRT, done.stderr)
            self.assertIn(text, done.stderr)

    @support.with_lock_only
    def test_without_them_another_domain_is_the_same_heap(self):
        self.code(self.OTHER_DOMAIN)


class Figures(support.TestCase):
    def test_the_interpreters_own_statistics_can_be_printed(self):
        code = "import sys; sys._debugmallocstats(); print(sys.getallocatedblocks() >= 0)"
        done = support.start("-c", code, PYTHONMALLOCSTATS="1")
        self.assertEqual((done.returncode, done.stdout), (0, "True\n"), done.stderr)

    def test_a_wrong_value_is_still_refused(self):
        done = support.start("-c", "", PYTHONMALLOC="nonsense")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("unknown", done.stderr)


if __name__ == "__main__":
    support.main()
