"""Programs that embed an interpreter: linked to libpython, or loading it while they run, by itself
or with a plugin; one that ends it and starts again; one that only loads it."""

import json
import os
import sys

import probe
import support

ROUNDS = 3
# From 3.12 on a second interpreter goes back to its own allocators.
LASTS = sys.version_info < (3, 12)
CODE = """
import gc, json, threading, probe
kept = {str(i): [i, bytes(i), {i: None}] for i in range(3000)}
kept["me"] = kept
threads = [threading.Thread(target=lambda: [bytes(n) for n in range(500)]) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert json.loads(json.dumps(list(range(1000)))) == list(range(1000))
gc.collect()
print(json.dumps(probe.ownership()), flush=True)
"""


class Embedding(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = support.find_libpython()
        cls.folder = support.folder(cls.addClassCleanup)
        cls.loading = support.compile_c("embed_loaded.c", cls.folder + "/loading", "-ldl")
        # Some versions do not survive their second end (3.12.1 frees what it never allocated).
        cls.rounds = ROUNDS
        alone = cls.start(str(ROUNDS), CODE, cls.library, preload=False)
        if alone.returncode != 0:
            cls.rounds = 1

    @classmethod
    def start(cls, *arguments, program=None, **settings):
        """The interpreter in the program belongs to no folder, and is told where its library is."""
        program = (program or cls.loading,)
        return support.start(*arguments, program=program, PYTHONHOME=support.HOME, **settings)

    def embed(self, *arguments, **settings):
        """Runs the program: the answer of each round."""
        done = self.start(*arguments, **settings)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def link(self, source, *flags):
        return support.compile_linked(source, self.folder + "/linked", *flags)

    def check(self, answers):
        expected = probe.ownership()
        self.assertEqual(len(answers), self.rounds)
        self.assertEqual(answers[0], expected)
        for answer in answers[1:]:
            self.assertTrue(answer["malloc"])
            if LASTS:
                self.assertEqual(answer, expected)

    def test_loaded(self):
        self.check(self.embed(str(self.rounds), CODE, self.library))

    def test_loaded_by_a_plugin(self):
        plugin = self.link("embed_linked.c", "-shared", "-fPIC")
        self.check(self.embed(str(self.rounds), CODE, plugin))

    def test_linked(self):
        self.check(self.embed(str(self.rounds), CODE, program=self.link("embed_loaded.c")))

    def test_the_program_is_python(self):
        program = self.link("embed_linked.c")
        path = os.path.join(support.HERE, "probe.py")
        self.assertEqual(self.embed(path, program=program), [probe.ownership()])

    def test_loaded_and_not_started(self):
        self.assertEqual(self.embed("0", "", self.library), [])

    def test_its_own_choice_wins(self):
        for arguments, program in (((self.library,), None), ((), self.link("embed_loaded.c"))):
            for value in ("debug", "default" if support.FREE_THREADED else "malloc"):
                answers = self.embed(
                    str(self.rounds), CODE, *arguments, program=program, PYTHONMALLOC=value
                )
                self.assertEqual(len(answers), self.rounds)
                for answer in answers:
                    self.assertFalse(answer["mem installed"])
                    self.assertEqual(answer["obj"], value == "malloc")

    def test_what_was_done_is_said_once(self):
        done = self.start("1", "pass", self.library, PYMEM_CONF="verbose:true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("CPython"), 1, done.stderr)
        self.assertIn("served by this heap", done.stderr)

    def test_without_the_library(self):
        answers = self.embed(str(self.rounds), CODE, self.library, preload=False)
        self.assertEqual([answer["obj"] for answer in answers], [False] * self.rounds)


if __name__ == "__main__":
    support.main()
