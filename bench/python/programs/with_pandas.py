"""pandas: a frame of numbers and strings, grouped, merged, pivoted, written and read back.

Usage: with_pandas.py [--smoke]
Exit status 77 where pandas is missing.
"""

import io
import sys

try:
    import pandas as pd
except ImportError as error:
    print(f"pandas is missing: {error}")
    sys.exit(77)


def frame(rows):
    return pd.DataFrame(
        {
            "number": range(rows),
            "group": [f"group {n * 7919 % 97}" for n in range(rows)],
            "value": [n * 31 % 1009 / 8 for n in range(rows)],
        }
    )


def work(rows):
    data = frame(rows)
    sums = data.groupby("group")["value"].sum().reset_index(name="sum")
    joined = data.merge(sums, on="group").sort_values(["sum", "number"])
    joined["kind"] = joined["group"].str.upper().str[-1:]
    table = joined.pivot_table(index="group", columns="kind", values="value", aggfunc="max")
    text = joined.to_csv(index=False)
    again = pd.read_csv(io.StringIO(text))
    assert again["number"].tolist() == joined["number"].tolist()
    return int(again["value"].sum() * 8) + len(text) + int(table.max().sum())


def main():
    work(500)
    if "--smoke" in sys.argv:
        return
    print("checksum", sum(work(rows) for rows in (1_000, 30_000, 60_000)))


if __name__ == "__main__":
    main()
