"""Numbers in plain lists: vectors, matrices and big integers, a new object for every result."""

import random


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def main():
    rng = random.Random(7)
    size = 70
    matrix = [[rng.randrange(10) for _ in range(size)] for _ in range(size)]
    product = matrix
    for _ in range(3):
        product = [[x % 10_007 for x in row] for row in multiply(product, matrix)]
    vectors = [[rng.random() for _ in range(3)] for _ in range(100_000)]
    for _ in range(6):
        vectors = [[x * 0.5 + y, y - z * 0.25, z + x] for x, y, z in vectors]
    vectors.sort()
    factor, bits = 1, 0
    for n in range(1, 6000):
        factor *= n
        bits += factor.bit_length()
    total = sum(map(sum, product))
    print("checksum", total, bits, f"{vectors[50_000][0]:.9f}")


if __name__ == "__main__":
    main()
