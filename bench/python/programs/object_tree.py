"""A tree of objects, each with a dict, parents linked to children and back: built, walked, half of
it replaced, and dropped, where the collector has to find the cycles."""

import gc
import random


class Node:
    def __init__(self, parent, key):
        self.parent = parent
        self.key = key
        self.children = []
        self.note = f"node {key}" if key % 3 == 0 else None

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


def grow(rng, parent, depth):
    if depth == 0:
        return
    for _ in range(rng.randrange(2, 5)):
        child = Node(parent, rng.randrange(1_000_000))
        parent.children.append(child)
        grow(rng, child, depth - 1)


def main():
    rng = random.Random(4)
    total = 0
    for _ in range(9):
        root = Node(None, 0)
        grow(rng, root, 9)
        total += sum(node.key for node in root.walk())
        for node in list(root.walk()):
            if node.parent is not None and len(node.children) == 2 and node.parent.parent is root:
                node.children.clear()
                grow(rng, node, 6)
        total += sum(len(node.note) for node in root.walk() if node.note)
        del root
        gc.collect()
    print("checksum", total)


if __name__ == "__main__":
    main()
