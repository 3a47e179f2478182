"""Nested documents to JSON text and back: strings of many lengths, dicts and lists."""

import json
import random
import zlib


def document(rng, number):
    return {
        "id": number,
        "title": " ".join(f"word{rng.randrange(1000)}" for _ in range(rng.randrange(2, 9))),
        "tags": [f"tag{rng.randrange(50)}" for _ in range(rng.randrange(6))],
        "scores": [rng.random() for _ in range(rng.randrange(12))],
        "author": {"name": f"author {rng.randrange(200)}", "active": rng.random() < 0.5},
        "body": "x" * rng.randrange(1000),
    }


def main():
    rng = random.Random(1)
    documents = [document(rng, number) for number in range(4500)]
    total = 0
    for turn in range(6):
        texts = [json.dumps(d, indent=turn % 2 or None) for d in documents]
        for text in texts:
            total = zlib.crc32(text.encode(), total)
        documents = [json.loads(text) for text in texts]
        whole = json.dumps(documents[: 1000 * (turn + 1)])
        documents[: 1000 * (turn + 1)] = json.loads(whole)
    print("checksum", total)


if __name__ == "__main__":
    main()
