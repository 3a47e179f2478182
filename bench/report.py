"""Medians, ratios and geometric means of what bench/measure.py collected, and the tables of them.
Tables are {workload: {allocator: median}}; the base is the allocator whose figures are 1."""

import math
import statistics

import allocators as al


def medians(runs, failed, measure):
    """The table of a measure; without the pairs of which a run failed."""
    values = {}
    for run in runs:
        key = (run["workload"], run["allocator"])
        if key not in failed:
            values.setdefault(key, []).append(run[measure])
    table = {}
    for (workload, allocator), samples in values.items():
        table.setdefault(workload, {})[allocator] = statistics.median(samples)
    return table


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def ratios(table, name, base):
    """{workload: ratio of the allocator to the base}, where both have a value."""
    return {w: row[name] / row[base] for w, row in table.items() if name in row and base in row}


def mean_ratio(table, name, base):
    return geometric_mean(ratios(table, name, base).values())


def against_best(table):
    """{workload: (ratio of ours to the best other, that other's name)}."""
    result = {}
    for workload, row in table.items():
        others = {n: v for n, v in row.items() if n != al.OWN}
        if al.OWN in row and others:
            best = min(others, key=others.get)
            result[workload] = (row[al.OWN] / others[best], best)
    return result


def print_table(title, table, workloads, names, unit, scale):
    """One row per workload. The first of the names is the base."""
    base_name, *others = names
    own = against_best(table)
    width = max(16, *(len(w.name) + 1 for w in workloads))
    print(f"\n{title}: ratio to {base_name} (its median in {unit} first); smaller is better")
    head = [f"{base_name} {unit}", *others, "best"]
    head += [f"{al.OWN}/best"] if own else []
    print(" " * width + "".join(f"{h:>12}" for h in head))
    for workload in workloads:
        row = table.get(workload.name, {})
        base = row.get(base_name)
        cells = [f"{base * scale:.3f}" if base else "failed"]
        for name in others:
            cells.append(f"{row[name] / base:.3f}" if base and name in row else "failed")
        cells.append(min(row, key=row.get) if row else "-")
        if own:
            cells.append(f"{own[workload.name][0]:.3f}" if workload.name in own else "-")
        print(f"{workload.name:{width}}" + "".join(f"{c:>12}" for c in cells))
