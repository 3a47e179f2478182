"""Big bytes and bytearrays: grown piece by piece, cut, joined and compressed."""

import io
import random
import zlib


def main():
    rng = random.Random(10)
    piece = rng.getrandbits(8000).to_bytes(1000, "little")
    total = 0
    for turn in range(16):
        buffer = bytearray()
        while len(buffer) < 24_000_000:
            buffer += piece[: 200 + len(buffer) % 800]
        total = zlib.crc32(buffer[::64], total)
        del buffer[: len(buffer) // 3]
        pieces = [bytes(buffer[at : at + 50_000]) for at in range(0, len(buffer), 50_000)]
        packed = [zlib.compress(part, 1) for part in pieces[::8]]
        stream = io.BytesIO()
        for part in reversed(pieces):
            stream.write(part)
        joined = b"".join(packed) + stream.getvalue()[turn::16]
        total = zlib.crc32(joined, total)
    print("checksum", total)


if __name__ == "__main__":
    main()
