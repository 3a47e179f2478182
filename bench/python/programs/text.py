"""Text work: lines built, split, counted, replaced and joined again."""

import random
import zlib
from collections import Counter


def main():
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefghij", k=rng.randrange(2, 14))) for _ in range(4000)]
    lines = [" ".join(rng.choices(words, k=rng.randrange(3, 25))) for _ in range(15_000)]
    total = 0
    for turn in range(7):
        text = "\n".join(lines)
        counts = Counter(text.split())
        rare = {word for word, count in counts.items() if count % 5 == turn % 5}
        lines = [
            " ".join(word.upper() if word in rare else word for word in line.split(" "))
            for line in text.split("\n")
        ]
        grown = ""
        for line in lines[:3000]:
            grown += line[:20].title() + ";"
        fields = [field.strip().partition(" ") for field in grown.split(";")]
        total = zlib.crc32("".join(f[2] for f in fields).encode(), total)
        lines = [line.replace("ab", "ba").rstrip() for line in lines]
        total = zlib.crc32("\n".join(lines).encode(), total)
    print("checksum", total)


if __name__ == "__main__":
    main()
