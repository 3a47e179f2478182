"""Objects that live for a moment: closures, generators, bound methods, exceptions, slices."""

import functools
import itertools


def adder(n):
    def add(x):
        return x + n

    return add


def numbers(count):
    for n in range(count):
        yield n, str(n)


class Counter:
    def __init__(self):
        self.seen = 0

    def see(self, *values, **named):
        self.seen += len(values) + len(named)


def fail(n):
    try:
        raise ValueError(f"number {n}", n)
    except ValueError as error:
        return error.args[1]


def main():
    counter = Counter()
    total = 0
    for turn in range(200_000):
        add = adder(turn)
        total += functools.reduce(lambda a, f: f(a), (add, adder(1), add), turn)
        total += sum(n + len(text) for n, text in numbers(turn % 8))
        counter.see(*range(turn % 6), turn=turn, text=f"{turn:x}")
        if turn % 4 == 0:
            total += fail(turn)
            pairs = itertools.islice(itertools.permutations((turn, 1.5, "x")), 4)
            total += sum(len(pair[1:]) for pair in pairs)
    print("checksum", total + counter.seen)


if __name__ == "__main__":
    main()
