"""Which allocator serves what in this interpreter, asked of the library itself.  Run as a program
it prints the answers as one line of JSON; the tests and the interpreters they start share it."""

import ctypes
import json
import os
import sys

PREFIXES = {"raw": "PyMem_Raw", "mem": "PyMem_", "obj": "PyObject_"}
PROCESS = ctypes.CDLL(None)
LIBRARY = ctypes.PyDLL(os.environ["PYMEM_SO"])


class Allocator(ctypes.Structure):
    """PyMemAllocatorEx"""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


class Arenas(ctypes.Structure):
    """PyObjectArenaAllocator"""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "alloc", "free")]


class Place(ctypes.Structure):
    """Dl_info"""

    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


class Stats(ctypes.Structure):
    """struct pymem_stats"""

    _fields_ = [("struct_size", ctypes.c_size_t), ("version", ctypes.c_uint64)]
    _fields_ += [(f"bytes_{n}", ctypes.c_uint64) for n in range(6)]
    _fields_ += [(name, ctypes.c_uint64) for name in ("live_blocks", "large_blocks", "pools")]
    _fields_ += [(f"other_{n}", ctypes.c_uint64) for n in range(4)]


def declare(scope):
    """The memory functions of one library with their types; returns it."""
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for prefix in PREFIXES.values():
        for name, result, arguments in (
            ("Malloc", pointer, (size,)),
            ("Calloc", pointer, (size, size)),
            ("Realloc", pointer, (pointer, size)),
            ("Free", None, (pointer,)),
        ):
            function = getattr(scope, prefix + name)
            function.restype, function.argtypes = result, arguments
    return scope


declare(ctypes.pythonapi)
declare(LIBRARY)
PROCESS.malloc.restype, PROCESS.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
PROCESS.calloc.restype = ctypes.c_void_p
PROCESS.calloc.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
PROCESS.free.restype, PROCESS.free.argtypes = None, (ctypes.c_void_p,)
PROCESS.dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(Place))
LIBRARY.pymem_owns.restype, LIBRARY.pymem_owns.argtypes = ctypes.c_bool, (ctypes.c_void_p,)
LIBRARY.pymem_usable_size.restype = ctypes.c_size_t
LIBRARY.pymem_usable_size.argtypes = (ctypes.c_void_p,)


def stats():
    result = Stats(struct_size=ctypes.sizeof(Stats))
    if LIBRARY.pymem_stats_get(ctypes.byref(result)) != 0:
        raise OSError("pymem_stats_get refuses struct pymem_stats")
    return result


def owns(address):
    """Is it the start of a live block of the library's heap?"""
    return LIBRARY.pymem_owns(address)


def bytes_object(size):
    """A new object of `size` bytes in all; nothing stands before bytes, so its id is the block."""
    return bytes(size - sys.getsizeof(b""))


def owns_block(allocate, release, size):
    block = allocate(size)
    try:
        return owns(block)
    finally:
        release(block)


def is_in_library(function):
    place, own = Place(), Place()
    PROCESS.dladdr(ctypes.cast(LIBRARY.pymem_owns, ctypes.c_void_p), ctypes.byref(own))
    return bool(PROCESS.dladdr(function, ctypes.byref(place))) and place.base == own.base


def allocator(domain, api=ctypes.pythonapi):
    """What the interpreter has installed for the domain."""
    result = Allocator()
    api.PyMem_GetAllocator(list(PREFIXES).index(domain), ctypes.byref(result))
    return result


def debug_headers(address):
    """How many of the debug hooks' headers stand before the address; None in no block of ours."""
    header = 2 * ctypes.sizeof(ctypes.c_size_t)
    return next((n for n in range(3) if owns(address - n * header)), None)


def ownership():
    """Is it ours: each domain's allocator and its blocks, a small and a large object, malloc."""
    small, large = bytes_object(100), bytes_object(4000)
    result = {
        "small": owns(id(small)),
        "large": owns(id(large)),
        "headers": debug_headers(id(large)),
        "malloc": owns_block(PROCESS.malloc, PROCESS.free, 100),
    }
    for domain, prefix in PREFIXES.items():
        allocate = getattr(ctypes.pythonapi, prefix + "Malloc")
        release = getattr(ctypes.pythonapi, prefix + "Free")
        result[domain] = owns_block(allocate, release, 100)
        result[domain + " installed"] = is_in_library(allocator(domain).malloc)
    return result


if __name__ == "__main__":
    print(json.dumps(ownership()))
