"""Records as dataclass instances and as dicts: built, sorted, grouped and summed up."""

import operator
import random
from collections import defaultdict
from dataclasses import dataclass, replace


@dataclass
class Order:
    number: int
    customer: str
    amount: float
    lines: tuple


def build(rng, count):
    for number in range(count):
        lines = tuple((rng.randrange(1000), rng.random()) for _ in range(rng.randrange(1, 5)))
        yield Order(number, f"customer {rng.randrange(3000)}", rng.random() * 1000, lines)


def main():
    rng = random.Random(2)
    orders = list(build(rng, 60_000))
    orders.sort(key=operator.attrgetter("customer", "amount"))
    by_customer = defaultdict(list)
    for order in orders:
        by_customer[order.customer].append(replace(order, amount=round(order.amount, 2)))
    rows = [
        {"customer": c, "count": len(g), "sum": sum(o.amount for o in g), "last": g[-1].number}
        for c, g in by_customer.items()
    ]
    rows.sort(key=lambda row: (-row["sum"], row["customer"]))
    copies = [dict(row, rank=rank) for rank, row in enumerate(rows) for _ in range(20)]
    copies = [row for row in copies if row["rank"] % 3]
    items = sum(item[0] for order in orders for item in order.lines)
    total = sum(row["rank"] * row["last"] for row in copies)
    print("checksum", total, items, f"{rows[0]['sum']:.2f}")


if __name__ == "__main__":
    main()
