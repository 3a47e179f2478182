"""A service with forty threads: each handles requests in its turn (parses one, looks things up,
answers) and keeps what it has answered last; half of what one thread makes another one drops."""

import collections
import json
import threading

THREADS = 40
REQUESTS = 60

QUESTION = json.dumps(
    [
        {"id": i, "name": f"user {i}", "tags": [str(j) for j in range(i % 7)], "score": i * 1.5}
        for i in range(200)
    ]
)
answers = collections.deque(maxlen=2 * THREADS)
sums = []


def answer(thread, number):
    people = json.loads(QUESTION)
    chosen = [person for person in people if person["id"] % THREADS == (thread + number) % THREADS]
    answers.append(people)
    return json.dumps({person["name"] + str(thread): person for person in chosen})


def serve(thread, all_have):
    kept = collections.deque(maxlen=20)
    for number in range(REQUESTS):
        kept.append(answer(thread, number))
    all_have.wait()
    sums.append(sum(map(len, kept)))


def main():
    all_have = threading.Barrier(THREADS)
    threads = [threading.Thread(target=serve, args=(i, all_have)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("checksum", sum(sums), len(answers))


if __name__ == "__main__":
    main()
