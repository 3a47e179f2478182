/*
 * header_c.c - the public headers alone, in strict C11 (the flags are in
 * api.mk): every declaration and macro compiles, and the program links.
 */
#include <pymem/malloc.h>
#include <pymem/pymem.h>
#include <pymem/stats.h>
#include <pymem/version.h>

struct point {
    double x, y;
};

int main(void)
{
    struct pymem_stats stats = {.struct_size = sizeof stats};
    PyMemAllocatorEx allocator;
    PyObjectArenaAllocator arenas;
    struct point *points = PyMem_New(struct point, 10);
    struct point *kept = points;
    if (points == NULL)
        return 1;
    PyMem_Resize(points, struct point, 20);
    if (points == NULL) {
        PyMem_Del(kept);
        return 1;
    }
    PyMem_RESIZE(points, struct point, 5);
    PyMem_DEL(points);
    int *numbers = PyMem_NEW(int, 3);
    PyMem_Del(numbers);
    void *buffer = PyMem_MALLOC(10);
    buffer = PyMem_REALLOC(buffer, 20);
    if (!pymem_owns(buffer) || pymem_usable_size(buffer) < 20)
        return 1;
    PyMem_FREE(buffer);
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &allocator);
    PyObject_GetArenaAllocator(&arenas);
    if (allocator.malloc == NULL || arenas.alloc == NULL || pymem_version()[0] == '\0')
        return 1;
    (void)pymem_trim();
    return pymem_stats_get(&stats) == 0 && stats.version == PYMEM_STATS_VERSION ? 0 : 1;
}
