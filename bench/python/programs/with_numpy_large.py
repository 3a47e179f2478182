"""numpy: expressions over arrays of 8 to 96 MB, each of whose steps makes a temporary array;
then with results that were made by zeros().

Usage: with_numpy_large.py [--smoke]
Exit status 77 where numpy is missing.
"""

import sys

try:
    import numpy as np
except ImportError as error:
    print(f"numpy is missing: {error}")
    sys.exit(77)


def smoke():
    a = np.arange(1000.0)
    assert fill(np.zeros((2, 1000)), a) > 0
    assert step(a, a) == (a * a + a - a).sum()


def step(a, b):
    c = a * b + a
    return (c - b).sum()


def fill(rows, x):
    for k in range(2 * len(rows)):
        rows[k % len(rows)] = np.sqrt(x * x + k) - x / 3.0
    return rows.sum()


def main():
    smoke()
    if "--smoke" in sys.argv:
        return
    total = 0.0
    for length in (1_000_000, 3_000_000, 5_000_000, 12_000_000):
        a = np.arange(length) % 1009.0
        b = a[::-1].copy()
        for _ in range(48_000_000 // length):
            total += step(a, b)
        total += fill(np.zeros((3, length)), a)
    print("checksum", int(total))


if __name__ == "__main__":
    main()
