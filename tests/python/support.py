"""What the themes share: their runner, interpreters started with and without the library, and C
that is compiled for a test.  A theme is run by tests/python/run, with the library preloaded."""

import faulthandler
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import unittest

import probe

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.environ["PYMEM_SO"]
TOOL = os.environ.get("PYMEM_TOOL", "")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
MULTIARCH = sysconfig.get_config_var("MULTIARCH") or ""
# For a program that embeds the interpreter and cannot find its files by itself.
HOME = sys.base_prefix + ":" + sys.base_exec_prefix
# Seconds that a child may take.
LIMIT = 60


# There, objects and most buffers stay with the interpreter's own heap.
with_lock_only = unittest.skipIf(FREE_THREADED, "free-threading")


class Result(unittest.TextTestResult):
    """Counts what succeeded: testsRun holds skipped tests in some versions and not in others."""

    succeeded = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.succeeded += 1


class TestCase(unittest.TestCase):
    def python(self, *arguments, preload=True, status=0, **variables):
        """Runs this interpreter with the arguments: what it has printed, once it has ended with the
        status and with nothing on standard error."""
        done = start(*arguments, preload=preload, **variables)
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        return done.stdout

    def code(self, code, *options, **settings):
        """The same for a script that stands in the test."""
        return self.python(*options, "-c", textwrap.dedent(code), **settings)


def environment(preload=True, **variables):
    """Our own with these variables; None takes one away."""
    result = dict(os.environ, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1", **variables)
    result["LD_PRELOAD"] = LIBRARY if preload else None
    return {name: value for name, value in result.items() if value is not None}


def start(*arguments, preload=True, program=(sys.executable, "-B"), **variables):
    return subprocess.run(
        (*program, *arguments),
        env=environment(preload, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=LIMIT,
    )


def folder(add_cleanup):
    """A new temporary folder, which the test's cleanup takes away."""
    temporary = tempfile.TemporaryDirectory(prefix="pymem_python_")
    add_cleanup(temporary.cleanup)
    return temporary.name


def find_header():
    """The folder of Python.h; skips the test where it is not installed."""
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        raise unittest.SkipTest("no Python.h")
    return include


def compile_c(source, output, *flags):
    """Compiles a file of this folder; skips the test where there is no compiler."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        raise unittest.SkipTest(f"no compiler: {compiler[0]}")
    command = [*compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-o", output]
    command += [os.path.join(HERE, source), *flags]
    subprocess.run(command, env=environment(preload=False), check=True, timeout=LIMIT)
    return output


def find_libpython():
    """The file of this interpreter's libpython; skips the test where there is none."""
    names = (sysconfig.get_config_var("INSTSONAME"), sysconfig.get_config_var("LDLIBRARY"))
    libraries = sysconfig.get_config_var("LIBDIR") or ""
    for parent in (libraries, os.path.join(libraries, MULTIARCH)):
        for name in names:
            path = os.path.join(parent, name or "")
            if ".so" in path and os.path.exists(path):
                return path
    raise unittest.SkipTest("no libpython")


def is_in_libpython():
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return "/libpython3" in maps.read()


def compile_linked(source, output, *flags):
    """The same, linked to this interpreter's libpython."""
    library = find_libpython()
    rpath = "-Wl,-rpath," + os.path.dirname(library)
    header = find_header()
    linked = ("-Wl,--no-as-needed", library, rpath, "-ldl")
    return compile_c(source, output, *flags, "-isystem", header, *linked)


def main():
    """Runs the tests of the program; the last line is what they came to."""
    faulthandler.enable()
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        if os.path.realpath(LIBRARY) not in maps.read() or not probe.ownership()["malloc"]:
            sys.exit("the library is not preloaded: see tests/python/run")
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result)
    result = unittest.main(testRunner=runner, exit=False).result
    line = f"{result.succeeded} tests"
    if result.skipped:
        reasons = sorted({reason for _, reason in result.skipped})
        line += f", {len(result.skipped)} skipped ({'; '.join(reasons)})"
    print(line)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(0 if result.succeeded else 77)
