"""asyncio: tasks that start tasks, wait for each other and pass messages through queues."""

import asyncio


async def leaf(number):
    await asyncio.sleep(0)
    return {"number": number, "text": str(number)}


async def branch(number, width):
    leaves = await asyncio.gather(*(leaf(number * width + i) for i in range(width)))
    return sum(item["number"] + len(item["text"]) for item in leaves)


async def worker(source, target):
    while (message := await source.get()) is not None:
        await target.put(bytes(message % 500) + str(message).encode())


async def relay(count):
    source, target = asyncio.Queue(maxsize=10), asyncio.Queue()
    workers = [asyncio.create_task(worker(source, target)) for _ in range(5)]
    for number in range(count):
        await source.put(number)
    for _ in workers:
        await source.put(None)
    await asyncio.gather(*workers)
    return sum(len(target.get_nowait()) for _ in range(target.qsize()))


async def run():
    total = 0
    for turn in range(8):
        total += sum(await asyncio.gather(*(branch(turn + i, 100) for i in range(60))))
    return total + await relay(30_000)


def main():
    print("checksum", asyncio.run(run()))


if __name__ == "__main__":
    main()
