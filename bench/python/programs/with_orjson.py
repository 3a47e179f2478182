"""orjson: a compiled extension that makes Python objects itself: documents to text and back.

Usage: with_orjson.py [--smoke]
Exit status 77 where orjson is missing.
"""

import sys
import zlib

try:
    import orjson
except ImportError as error:
    print(f"orjson is missing: {error}")
    sys.exit(77)


def document(number):
    return {
        "id": number,
        "title": f"document {number} " * (number % 5 + 1),
        "scores": [number / 7 + i for i in range(number % 13)],
        "author": {"name": f"author {number % 200}", "active": number % 2 == 0},
        "body": "x" * (number * 37 % 900),
    }


def main():
    documents = [document(number) for number in range(50)]
    assert orjson.loads(orjson.dumps(documents)) == documents
    if "--smoke" in sys.argv:
        return
    documents = [document(number) for number in range(8000)]
    total = 0
    for turn in range(20):
        texts = [orjson.dumps(d) for d in documents]
        total = zlib.crc32(b"\n".join(texts), total)
        documents = [orjson.loads(text) for text in texts]
        whole = orjson.dumps(documents, option=orjson.OPT_INDENT_2)
        total += len(orjson.loads(whole)) + turn
    print("checksum", total)


if __name__ == "__main__":
    main()
