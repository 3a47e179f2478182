"""Threads that hand objects on through queues: what one allocates another frees."""

import queue
import threading

BATCHES = 1500


def produce(target, seed):
    for number in range(BATCHES):
        target.put([{"id": n, "text": f"item {n}"} for n in range(seed, seed + number % 60)])
    target.put(None)


def transform(source, target):
    while (batch := source.get()) is not None:
        target.put([(item["id"], item["text"].upper().encode()) for item in batch])
    target.put(None)


def main():
    total = 0
    for seed in range(12):
        raw = [queue.Queue(maxsize=50) for _ in range(2)]
        done = queue.Queue(maxsize=50)
        threads = [threading.Thread(target=produce, args=(q, seed)) for q in raw]
        threads += [threading.Thread(target=transform, args=(q, done)) for q in raw]
        for thread in threads:
            thread.start()
        ends = 0
        while ends < len(raw):
            batch = done.get()
            if batch is None:
                ends += 1
            else:
                total += sum(number + len(text) for number, text in batch)
        for thread in threads:
            thread.join()
    print("checksum", total)


if __name__ == "__main__":
    main()
