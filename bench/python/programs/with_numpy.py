"""numpy: arrays as temporaries of arithmetic, of many sizes, next to lists made from them.

Usage: with_numpy.py [--smoke]
Exit status 77 where numpy is missing.
"""

import sys

try:
    import numpy as np
except ImportError as error:
    print(f"numpy is missing: {error}")
    sys.exit(77)


def smoke():
    a = np.arange(1_000_000)
    assert int((a * 2).sum()) == 999_999 * 1_000_000
    assert np.array_equal(np.sort(a[::-1]), a)
    assert np.zeros(100_000).any() is np.False_
    grown = np.resize(a, 3_000_000)
    assert grown[2_999_999] == 999_999
    words = np.array(["a", "bcd", None], dtype=object)
    assert "".join(filter(None, words.tolist())) == "abcd"


def main():
    smoke()
    if "--smoke" in sys.argv:
        return
    total = 0
    for turn in range(60):
        for size in (10, 1_000, 20_000, 300_000):
            a = np.arange(size, dtype=np.int64) + turn
            b = (a * 3 - 1) % 1009
            c = np.where(b > 500, a, -b)
            total += int((c[::2] * 2).sum()) + int(np.unique(b).size)
        parts = [np.full(n, turn) for n in range(2000)]
        total += int(np.concatenate(parts).sum()) + sum(len(part.tolist()) for part in parts[:300])
    print("checksum", total)


if __name__ == "__main__":
    main()
