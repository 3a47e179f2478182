"""The job of scripts/demo: allocation-heavy work in an unmodified Python.

Builds and drops records, JSON texts, strings, byte buffers and, with threads,
compressed pages.  Prints one line: a checksum over all results, which does not
depend on timing, the process's peak memory in kB, and the library that
it found loaded under the name given as first argument.
"""

import json
import random
import sys
import threading
import zlib

ROUNDS = 16


def crc(data, value=0):
    return zlib.crc32(data if isinstance(data, bytes) else data.encode(), value)


def records(rng, count):
    """A document as a web service would build it: dicts of texts and lists."""
    return [
        {
            "id": i,
            "name": f"user-{rng.randrange(10**9)}",
            "text": "lorem ipsum " * rng.randrange(1, 120),
            "tags": [f"tag{rng.randrange(1000)}" for _ in range(rng.randrange(8))],
            "scores": [rng.random() for _ in range(rng.randrange(30))],
        }
        for i in range(count)
    ]


def json_work(rng):
    """Writes and reads JSON, keeps some of what was read, drops the rest."""
    texts = [json.dumps(records(rng, 60)) for _ in range(60)]
    documents = [json.loads(text) for text in texts]
    kept = [document[::7] for document in documents]
    value = 0
    for text in texts:
        value = crc(text, value)
    return crc(str(sum(len(part) for part in kept)), value)


def text_work(rng):
    """Splits, changes and joins lines; most of the strings live shortly."""
    lines = [f"{rng.randrange(10**12):x} " * rng.randrange(2, 90) for _ in range(6000)]
    value = 0
    for _ in range(4):
        lines = [" ".join(reversed(line.split())).replace("a", "bc")[:3000] for line in lines]
        value = crc("\n".join(lines), value)
    return value


def buffer_work(rng):
    """Byte buffers of many sizes in a table with random replacement, and growing ones."""
    table = [b""] * 3000
    value = 0
    for _ in range(60000):
        size = int(600 * 2 ** (rng.random() * 6))
        slot = rng.randrange(len(table))
        value = (value * 31 + len(table[slot])) & 0xFFFFFFFF
        table[slot] = bytes(size)
    for _ in range(300):
        growing = bytearray()
        while len(growing) < 200_000:
            growing += b"x" * rng.randrange(100, 4000)
        value = (value * 31 + len(growing)) & 0xFFFFFFFF
    return value


def thread_work(seed):
    """Four threads compress pages that they then hand to one another."""
    shelves = [[] for _ in range(4)]
    values = [0] * 4

    def make(me):
        rng = random.Random(seed * 4 + me)
        for _ in range(150):
            page = rng.randbytes(2000) * rng.randrange(1, 8)
            shelves[me].append(zlib.compress(page, 1))

    def take(me):
        shelf = shelves[(me + 1) % 4]
        for page in shelf:
            values[me] = crc(zlib.decompress(page), values[me])
        shelf.clear()

    for step in (make, take):
        threads = [threading.Thread(target=step, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return crc(str(values))


def peak_memory():
    """This process's own peak, in kB."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def loaded(name):
    """Whether a library of that name is mapped into this process."""
    with open("/proc/self/maps") as maps:
        return name if any(name in line for line in maps) else "none"


def main():
    value = 0
    for number in range(ROUNDS):
        rng = random.Random(number)
        for result in (json_work(rng), text_work(rng), buffer_work(rng), thread_work(number)):
            value = crc(str(result), value)
    name = sys.argv[1] if len(sys.argv) > 1 else "libpymem"
    print(f"{value:08x} {peak_memory()} {loaded(name)}")


if __name__ == "__main__":
    main()
