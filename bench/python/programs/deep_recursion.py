"""Deep recursion: the interpreter's own stack of frames grows by chunks and shrinks again."""

import sys

DEPTH = 12_000


def descend(depth, parts):
    here = [depth, str(depth)]
    if depth == 0:
        return len(parts)
    parts.append(here)
    result = descend(depth - 1, parts)
    return result + len(here[1])


def nested(depth):
    value = None
    for _ in range(depth):
        value = [value]
    return value


def measure(value):
    return 0 if value is None else 1 + measure(value[0])


def main():
    sys.setrecursionlimit(DEPTH + 1000)
    total = 0
    for turn in range(60):
        total += descend(DEPTH - turn, [])
        total += measure(nested(DEPTH // 2 + turn))
        # Up and down at a chunk's border: the chunk comes and goes.
        total += sum(descend(100 + n % 40, []) for n in range(200))
    print("checksum", total)


if __name__ == "__main__":
    main()
