"""A compiler's front end: generated source searched with re, tokenized, parsed and compiled."""

import ast
import io
import random
import re
import tokenize
import zlib


def function(rng, number):
    lines = [f"def function_{number}(a, b=None, *rest):"]
    for i in range(rng.randrange(4, 14)):
        lines.append(f"    value_{i} = a * {rng.randrange(100)} + len(rest)  # step {i}")
        lines.append(f"    if value_{i} > {rng.randrange(1000)} and b is not None:")
        lines.append(f"        b = [x + {i} for x in rest if x != 'text {i}']")
    lines.append(f"    return {{'a': a, 'b': b, 'sum': value_{rng.randrange(4)}}}\n\n")
    return "\n".join(lines)


def main():
    rng = random.Random(9)
    total = 0
    for _ in range(2):
        source = "".join(function(rng, number) for number in range(150))
        names = re.findall(r"\b[a-z]+_\d+\b", source)
        source = re.sub(r"value_(\d+)", lambda m: f"renamed_{m.group(1)}", source)
        readline = io.StringIO(source).readline
        tokens = [(t.type, t.string) for t in tokenize.generate_tokens(readline)]
        tree = ast.parse(source)
        nodes = sum(1 for _ in ast.walk(tree))
        namespace = {}
        exec(compile(tree, "generated", "exec"), namespace)
        results = [namespace[f"function_{n}"](n, [], n, n + 1)["b"] for n in range(150)]
        total = zlib.crc32(repr((len(names), len(tokens), nodes, results)).encode(), total)
    print("checksum", total)


if __name__ == "__main__":
    main()
