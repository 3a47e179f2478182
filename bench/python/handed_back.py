"""How much memory comes back? Builds 400,000 small records and 200,000 dicts of mixed sizes, drops
all but a random 2 %, then those as well. After each drop the program is idle for a while and then
works a little, since an allocator gives memory back at later calls if at all. Prints the resident
memory at each step.

Usage: handed_back.py [IDLE_SECONDS]
"""

import random
import sys
import time

RECORDS = 400_000
DICTS = 200_000
KEPT = 0.02
FRESH = 30  # as many of a dict's values are objects of its own
KEYS = [f"key{i}" for i in range(102)]


class Record:
    __slots__ = ("name", "number", "weight")

    def __init__(self, number):
        self.name = f"record {number}"
        self.number = number
        self.weight = number / 7


def report(step):
    with open("/proc/self/status", encoding="ascii") as status:
        kb = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
    print(f"resident_kb {step} {kb}", flush=True)


def build(rng):
    objects = [Record(number) for number in range(RECORDS)]
    for number in range(DICTS):
        keys = KEYS[: rng.randrange(1, 103)]
        objects.append({key: number + i if i < FRESH else None for i, key in enumerate(keys)})
    return objects


def idle(seconds):
    time.sleep(seconds)
    return [bytearray(64) for _ in range(5000)]


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    rng = random.Random(20)
    report("start")
    objects = build(rng)
    report("built")
    objects = [o for o in objects if rng.random() < KEPT]
    idle(seconds)
    report("kept")
    objects.clear()
    idle(seconds)
    report("none")


if __name__ == "__main__":
    main()
