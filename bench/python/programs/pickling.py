"""Objects that share parts, pickled and loaded with every protocol, and copied deeply."""

import copy
import pickle
import random
import zlib


class Point:
    def __init__(self, x, y, label):
        self.x, self.y, self.label = x, y, label


def main():
    rng = random.Random(8)
    labels = [f"label {i}" for i in range(500)]
    shapes = [
        {
            "points": [
                Point(rng.random(), rng.randrange(1000), rng.choice(labels))
                for _ in range(rng.randrange(3, 12))
            ],
            "name": f"shape {number}",
            "flags": (number % 2 == 0, None, {number % 7, number % 11}),
        }
        for number in range(6000)
    ]
    total = 0
    for protocol in range(2, pickle.DEFAULT_PROTOCOL + 1):
        text = pickle.dumps(shapes, protocol)
        total = zlib.crc32(text, total)
        shapes = pickle.loads(text)
    for shape in copy.deepcopy(shapes[:1500]):
        total += sum(point.y + len(point.label) for point in shape["points"])
    print("checksum", total)


if __name__ == "__main__":
    main()
