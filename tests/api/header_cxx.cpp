// header_cxx.cpp - the public headers alone, in strict C++17 (the flags are in
// api.mk): every declaration and macro compiles, and the program links.
#include <pymem/malloc.h>
#include <pymem/pymem.h>
#include <pymem/stats.h>
#include <pymem/version.h>

struct point {
    double x, y;
};

int main()
{
    pymem_stats stats{};
    stats.struct_size = sizeof stats;
    point *points = PyMem_New(point, 10);
    point *kept = points;
    if (points == nullptr)
        return 1;
    PyMem_Resize(points, point, 20);
    if (points == nullptr) {
        PyMem_Del(kept);
        return 1;
    }
    PyMem_RESIZE(points, point, 5);
    PyMem_DEL(points);
    int *numbers = PyMem_NEW(int, 3);
    PyMem_Del(numbers);
    void *buffer = PyMem_MALLOC(10);
    buffer = PyMem_REALLOC(buffer, 20);
    if (!pymem_owns(buffer) || pymem_usable_size(buffer) < 20)
        return 1;
    PyMem_FREE(buffer);
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &allocator);
    PyObjectArenaAllocator arenas;
    PyObject_GetArenaAllocator(&arenas);
    if (allocator.malloc == nullptr || arenas.alloc == nullptr || pymem_version()[0] == '\0')
        return 1;
    (void)pymem_trim();
    return pymem_stats_get(&stats) == 0 && stats.version == PYMEM_STATS_VERSION ? 0 : 1;
}
