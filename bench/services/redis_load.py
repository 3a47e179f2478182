"""A load for redis, the same each time: values set at random, replaced by longer ones, hashes,
lists, and keys deleted at random. (redis-benchmark takes its seeds from the clock.)"""

import random
import socket

KEYS = 1000000
BATCH = 500  # commands under way at one time


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def key(rng):
    return b"key:%012d" % rng.randrange(KEYS)


def one_of_500(name, rng):
    return b"%s:%d" % (name, rng.randrange(500))


def value(rng, longest):
    return b"v" * rng.randrange(8, longest)


STEPS = (
    (300000, lambda rng: command(b"SET", key(rng), value(rng, 60))),
    (300000, lambda rng: command(b"SET", key(rng), value(rng, 200))),
    (100000, lambda rng: command(b"HSET", one_of_500(b"hash", rng), key(rng), value(rng, 60))),
    (100000, lambda rng: command(b"RPUSH", one_of_500(b"list", rng), value(rng, 60))),
    (300000, lambda rng: command(b"DEL", key(rng))),
)


def ask(connection, batch):
    connection.sendall(b"".join(batch))
    answers = 0
    while answers < len(batch):  # each is a line
        received = connection.recv(65536)
        if not received or b"-" in received:
            raise RuntimeError(f"redis says {received[:80]!r}")
        answers += received.count(b"\n")


def send(port):
    rng = random.Random(1)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for count, make in STEPS:
            for _ in range(count // BATCH):
                ask(connection, [make(rng) for _ in range(BATCH)])
