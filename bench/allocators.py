"""Which allocators bench/run, bench/python/run and bench/instructions compare, where they are, and
whether a preloaded one really serves malloc."""

import os
import pathlib
import platform
import re
import subprocess
import sys
from typing import NamedTuple, Optional

# name, file, Debian package
DEBIAN = (
    ("mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0"),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
)
LIBRARY_DIRS = (
    f"/usr/lib/{platform.machine()}-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
)
OWN = "pymem"
BASE = "glibc"
TUNING = ("MALLOC_", "MIMALLOC_", "TCMALLOC_", "PYMEM_", "GLIBC_TUNABLES")


class Allocator(NamedTuple):
    name: str
    path: Optional[str]  # None: no preload
    settings: tuple  # "VAR=VALUE" for the programs run under it
    is_peer: bool  # one of those that the verdict is about; not ours, not added by --with


def fail(message):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {message}")


def add_arguments(parser):
    parser.add_argument("--build-dir", metavar="DIR", help="the build tree (default: found)")
    parser.add_argument(
        "--pymem", metavar="PATH", help="the libpymem.so to measure (default: the build tree's)"
    )
    parser.add_argument(
        "--with",
        metavar="NAME=PATH",
        dest="added",
        action="append",
        default=[],
        help="add another library (may be repeated)",
    )
    parser.add_argument(
        "--allocators", metavar="NAME,...", help="these and the first one only (default: all)"
    )
    parser.add_argument(
        "--env",
        metavar="NAME:VAR=VALUE",
        action="append",
        default=[],
        help="set VAR in the programs run under allocator NAME (may be repeated)",
    )


def find_build_dir(given):
    """The directory below which the built programs are."""
    top = pathlib.Path(__file__).resolve().parent.parent
    places = [pathlib.Path(given)] if given else [pathlib.Path("."), top, *top.glob("build*")]
    for place in places:
        if os.access(place / "bench" / "launch", os.X_OK):
            return place.resolve()
    fail("the benchmark programs are not built: run `make bench-programs`, or give --build-dir")


def parse_settings(texts):
    settings = {}
    for text in texts:
        name, colon, setting = text.partition(":")
        if not colon or "=" not in setting:
            fail(f"--env {text}: NAME:VAR=VALUE expected")
        settings.setdefault(name, []).append(setting)
    return settings


def existing(path, option):
    """The absolute path; LD_PRELOAD is cut at spaces and colons, so neither may be in it."""
    path = os.path.abspath(path)
    if not os.path.isfile(path):
        fail(f"{option}: no file {path}")
    if re.search(r"[\s:]", path):
        fail(f"{option}: {path}: a path with spaces or colons cannot be preloaded")
    return path


def find_debian(filename):
    paths = (os.path.join(place, filename) for place in LIBRARY_DIRS)
    return next(filter(os.path.isfile, paths), None)


def find_allocators(args, build_dir, without_preload=(BASE,)):
    """The allocators to compare, those without a preload first, then ours. Says what is missing."""
    settings = parse_settings(args.env)
    wanted = set(args.allocators.split(",")) if args.allocators else None
    found = []

    def add(name, path, is_peer):
        if any(name == a.name for a in found):
            fail(f"two allocators are called {name}")
        found.append(Allocator(name, path, tuple(settings.pop(name, ())), is_peer))

    for name in without_preload:
        add(name, None, True)
    built = build_dir / ".libs" / "libpymem.so"
    if args.pymem:
        add(OWN, existing(args.pymem, "--pymem"), False)
    elif built.is_file():
        add(OWN, existing(built, "the build tree"), False)
    else:
        print(f"missing: {OWN} ({built} is not built; --pymem PATH names another)")
    for name, filename, package in DEBIAN:
        path = find_debian(filename)
        if path:
            add(name, path, True)
        else:
            print(f"missing: {name} ({filename}; Debian package {package})")
    for text in args.added:
        name, equals, path = text.partition("=")
        if not name or not equals:
            fail(f"--with {text}: NAME=PATH expected")
        add(name, existing(path, "--with"), False)
    if settings:
        fail(f"--env: no allocator called {', '.join(settings)}")
    if wanted is None:
        return found
    unknown = wanted - {a.name for a in found}
    if unknown:
        fail(f"--allocators: no allocator called {', '.join(sorted(unknown))}")
    return found[:1] + [a for a in found[1:] if a.name in wanted]


def launch_command(build_dir, allocator):
    """The start of a command line: the launcher, with the preload and the settings."""
    command = [str(build_dir / "bench" / "launch")]
    if allocator.path:
        command += ["-p", allocator.path]
    for setting in allocator.settings:
        command += ["-e", setting]
    return command


def clean_environment():
    """The environment without a preload; says which settings of allocators remain in it."""
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    for name in sorted(environment):
        if name.startswith(TUNING):
            print(f"note: {name}={environment[name]} is set for every run")
    return environment


def check_preload(build_dir, allocator, environment):
    """Fails unless the loader binds malloc to the allocator (where the loader can be asked)."""
    if not allocator.path:
        return
    program = build_dir / "bench" / "pair_lifo"
    command = launch_command(build_dir, allocator)
    command += ["-o", "/dev/null", "-e", "LD_DEBUG=bindings", str(program), "1"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if "cannot be preloaded" in done.stderr or done.returncode != 0:
        lines = [s for s in done.stderr.splitlines() if not re.match(r"\s*\d+:", s)]
        lines = lines or [f"{program.name} ended with status {done.returncode}"]
        fail(f"{allocator.name} cannot be preloaded: " + "\n".join(lines[-5:]))
    pattern = r"binding file \S*pair_lifo \[0\] to (\S+) \[0\]: \w+ symbol .malloc'"
    bound = re.search(pattern, done.stderr)
    if bound and os.path.realpath(bound.group(1)) != os.path.realpath(allocator.path):
        fail(f"{allocator.name}: malloc comes from {bound.group(1)}, not from {allocator.path}")
