"""Commands of the user's own as workloads for bench/run: --command."""

import os.path
import shlex
from typing import NamedTuple

import allocators as al


class Command(NamedTuple):
    name: str
    program: str
    arguments: tuple
    group = "command"

    def labels(self):
        return {self.name, self.program, self.group}

    def run(self, bench, allocator):
        """Where bench/run was started; what it prints is dropped, but for standard error."""
        command = [self.program, *self.arguments]
        cost, _ = bench.launch(allocator, command, drop_output=True)
        return cost._asdict()


def split(lines):
    """One for each line, named after its program; numbered where several have the same."""
    found, seen = [], {}
    for line in lines:
        try:
            words = shlex.split(line)
        except ValueError as e:
            al.fail(f"--command: {line!r}: {e}")
        if not words:
            al.fail("--command: nothing to run")
        name = os.path.basename(words[0])
        seen[name] = seen.get(name, 0) + 1
        suffix = f"_{seen[name]}" if seen[name] > 1 else ""
        found.append(Command(name + suffix, words[0], tuple(words[1:])))
    return tuple(found)
