"""The programs of the folder programs as workloads: those that need only the standard library, and
those named with_PACKAGE.py."""

import pathlib

from measure import RunFailed

FOLDER = pathlib.Path(__file__).resolve().parent / "programs"
PACKAGE = "with_"
SKIPPED = 77  # exit status of a program that lacks its package


class Program:
    """One file, timed as a whole process."""

    arguments = ()

    def __init__(self, python, file):
        self.name = self.program = file.stem
        self.command = [python, file]
        self.needs_package = file.stem.startswith(PACKAGE)
        self.group = "packages" if self.needs_package else "own"

    def labels(self):
        return {self.name, self.group}

    def prepare(self, bench, base):
        """Why the program cannot be run here, or None."""
        if self.needs_package:
            try:
                bench.launch(base, [*self.command, "--smoke"])
            except RunFailed as e:
                if e.status != SKIPPED:
                    raise
                return str(e)
        return None

    def run(self, bench, allocator):
        cost = bench.launch_checked(self.name, allocator, self.command)
        return {"time": cost.wall, **cost._asdict()}


def find(python):
    files = sorted(FOLDER.glob("*.py"), key=lambda f: (f.stem.startswith(PACKAGE), f.stem))
    return [Program(python, file) for file in files]
