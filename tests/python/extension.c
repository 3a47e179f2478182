/*
 * extension.c - an extension module as they are written everywhere: it takes
 * memory from every domain and from malloc, gives some of it to the interpreter
 * to free, frees what it is given, makes objects with and without the
 * collector, allocates in threads without the interpreter's lock, and wraps the
 * allocators as profilers do.  Driven by test_extension.py.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stddef.h>

/* What a profiler counts. */
enum { DOMAINS = 3, THREADS = 4, BLOCKS = 2000 };

static const struct domain {
    const char *name;
    void *(*malloc)(size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
} domains[] = {
    {"raw", PyMem_RawMalloc, PyMem_RawRealloc, PyMem_RawFree},
    {"mem", PyMem_Malloc, PyMem_Realloc, PyMem_Free},
    {"obj", PyObject_Malloc, PyObject_Realloc, PyObject_Free},
    {"malloc", malloc, realloc, free},
};

static const struct domain *find(const char *name)
{
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (strcmp(domains[i].name, name) == 0)
            return &domains[i];
    }
    PyErr_SetString(PyExc_ValueError, name);
    return NULL;
}

/* allocate(domain, size) -> address */
static PyObject *allocate(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    const struct domain *domain;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sn", &name, &size) || (domain = find(name)) == NULL)
        return NULL;
    void *block = domain->malloc((size_t)size);
    if (block == NULL)
        return PyErr_NoMemory();
    memset(block, (int)size, (size_t)size);
    return PyLong_FromVoidPtr(block);
}

/* resize(domain, address, size) -> address */
static PyObject *resize(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    PyObject *address;
    const struct domain *domain;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sO!n", &name, &PyLong_Type, &address, &size) ||
        (domain = find(name)) == NULL)
        return NULL;
    void *block = domain->realloc(PyLong_AsVoidPtr(address), (size_t)size);
    return block == NULL ? PyErr_NoMemory() : PyLong_FromVoidPtr(block);
}

/* release(domain, address) */
static PyObject *release(PyObject *module, PyObject *arguments)
{
    const char *name;
    PyObject *address;
    const struct domain *domain;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sO!", &name, &PyLong_Type, &address) ||
        (domain = find(name)) == NULL)
        return NULL;
    domain->free(PyLong_AsVoidPtr(address));
    Py_RETURN_NONE;
}

static void free_capsule(PyObject *capsule)
{
    const struct domain *domain = PyCapsule_GetContext(capsule);
    domain->free(PyCapsule_GetPointer(capsule, "block"));
}

/* capsule(domain, size): its destructor frees the block, whenever the interpreter wants. */
static PyObject *make_capsule(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    const struct domain *domain;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sn", &name, &size) || (domain = find(name)) == NULL)
        return NULL;
    void *block = domain->malloc((size_t)size);
    if (block == NULL)
        return PyErr_NoMemory();
    PyObject *capsule = PyCapsule_New(block, "block", free_capsule);
    if (capsule == NULL)
        domain->free(block);
    else
        PyCapsule_SetContext(capsule, (void *)domain);
    return capsule;
}

/* An object of the collector's, with an array that the extension has made and resized. */
struct node {
    PyObject_HEAD PyObject *next;
    int *numbers;
};

static Py_ssize_t live_nodes;

static int node_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct node *)self)->next);
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(self));
#endif
    return 0;
}

static int node_clear(PyObject *self)
{
    Py_CLEAR(((struct node *)self)->next);
    return 0;
}

static void node_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    node_clear(self);
    PyMem_Free(((struct node *)self)->numbers);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    live_nodes--;
}

static PyType_Slot node_slots[] = {
    {Py_tp_traverse, node_traverse},
    {Py_tp_clear, node_clear},
    {Py_tp_dealloc, node_dealloc},
    {0, NULL},
};
static PyType_Spec node_spec = {"extension.Node", sizeof(struct node), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, node_slots};

/* An array that has grown from one element to `count`; NULL when that failed. */
static int *numbers_up_to(int count)
{
    int *numbers = PyMem_New(int, 1);
    for (int used = 0, room = 1; numbers != NULL && used < count; used++) {
        if (used == room) {
            room *= 2;
            PyMem_Resize(numbers, int, (size_t)room);
        }
        if (numbers != NULL)
            numbers[used] = used;
    }
    return numbers;
}

static struct node *make_node(PyTypeObject *type, PyObject *next, int count)
{
    struct node *node = PyObject_GC_New(struct node, type);
    if (node == NULL)
        return NULL;
    live_nodes++;
    Py_XINCREF(next);
    node->next = next;
    node->numbers = numbers_up_to(count);
    PyObject_GC_Track((PyObject *)node);
    return node;
}

/* leave_ring(count): nodes that only the collector can find. */
static PyObject *leave_ring(PyObject *module, PyObject *arguments)
{
    int count;
    if (!PyArg_ParseTuple(arguments, "i", &count))
        return NULL;
    PyTypeObject *type = (PyTypeObject *)PyObject_GetAttrString(module, "Node");
    struct node *first = type == NULL ? NULL : make_node(type, NULL, 1);
    PyObject *last = (PyObject *)first;
    Py_XINCREF(last);
    for (int i = 1; i < count && last != NULL; i++) {
        PyObject *node = (PyObject *)make_node(type, last, i);
        Py_DECREF(last);
        last = node;
    }
    if (first != NULL)
        first->next = last;
    Py_XDECREF((PyObject *)first);
    Py_XDECREF((PyObject *)type);
    return last == NULL ? NULL : PyLong_FromSsize_t(live_nodes);
}

static PyObject *count_nodes(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromSsize_t(live_nodes);
}

/* Made here with PyObject_Malloc(); the interpreter's own deallocator frees it. */
struct row {
    PyObject_VAR_HEAD char bytes[1];
};

static PyType_Slot row_slots[] = {{0, NULL}};
static PyType_Spec row_spec = {"extension.Row", offsetof(struct row, bytes), 1,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, row_slots};

/* make_row(size) */
static PyObject *make_row(PyObject *module, PyObject *arguments)
{
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "n", &size))
        return NULL;
    struct row *row = PyObject_Malloc(offsetof(struct row, bytes) + (size_t)size);
    if (row == NULL)
        return PyErr_NoMemory();
    PyTypeObject *type = (PyTypeObject *)PyObject_GetAttrString(module, "Row");
    if (type == NULL) {
        PyObject_Free(row);
        return NULL;
    }
    PyObject_InitVar((PyVarObject *)row, type, size);
    Py_DECREF(type); /* the row holds it by now */
    memset(row->bytes, 1, (size_t)size);
    return (PyObject *)row;
}

/* resized_bytes(from, to): an object of the interpreter's that moves while it grows. */
static PyObject *resized_bytes(PyObject *module, PyObject *arguments)
{
    Py_ssize_t from, to;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nn", &from, &to))
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, from);
    if (bytes == NULL)
        return NULL;
    memset(PyBytes_AS_STRING(bytes), 'a', (size_t)from);
    if (_PyBytes_Resize(&bytes, to) < 0)
        return NULL;
    if (to > from)
        memset(PyBytes_AS_STRING(bytes) + from, 'b', (size_t)(to - from));
    return bytes;
}

/* The tables of the threads below. */
static unsigned char *tables[THREADS][BLOCKS];
static int damaged;

static size_t block_size(size_t i)
{
    return i * 13 % 3000 + 1;
}

static void *take(void *index)
{
    size_t own = (size_t)index;
    for (size_t i = 0; i < BLOCKS; i++) {
        tables[own][i] = PyMem_RawMalloc(block_size(i));
        if (tables[own][i] != NULL)
            memset(tables[own][i], (int)own, block_size(i));
    }
    return NULL;
}

static void *give(void *index)
{
    size_t neighbour = ((size_t)index + 1) % THREADS;
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *block = tables[neighbour][i];
        if (block == NULL || block[0] != neighbour || block[block_size(i) - 1] != neighbour)
            __atomic_store_n(&damaged, 1, __ATOMIC_RELAXED);
        PyMem_RawFree(block);
    }
    return NULL;
}

static void in_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, body, (void *)i) != 0)
            abort();
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* exchange_in_threads() -> whether all blocks were whole */
static PyObject *exchange_in_threads(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    damaged = 0;
    Py_BEGIN_ALLOW_THREADS;
    in_threads(take);
    in_threads(give);
    Py_END_ALLOW_THREADS;
    return PyBool_FromLong(!damaged);
}

/* The allocators that the hooks below stand before. */
static PyMemAllocatorEx wrapped[DOMAINS];
static long calls[DOMAINS];

static PyMemAllocatorEx *counted(void *ctx)
{
    PyMemAllocatorEx *under = ctx;
    __atomic_add_fetch(&calls[under - wrapped], 1, __ATOMIC_RELAXED);
    return under;
}

static void *hook_malloc(void *ctx, size_t size)
{
    PyMemAllocatorEx *under = counted(ctx);
    return under->malloc(under->ctx, size);
}

static void *hook_calloc(void *ctx, size_t count, size_t size)
{
    PyMemAllocatorEx *under = counted(ctx);
    return under->calloc(under->ctx, count, size);
}

static void *hook_realloc(void *ctx, void *block, size_t size)
{
    PyMemAllocatorEx *under = counted(ctx);
    return under->realloc(under->ctx, block, size);
}

static void hook_free(void *ctx, void *block)
{
    PyMemAllocatorEx *under = ctx;
    under->free(under->ctx, block);
}

static PyObject *hook(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    for (int domain = 0; domain < DOMAINS; domain++) {
        PyMemAllocatorEx hooks = {&wrapped[domain], hook_malloc, hook_calloc, hook_realloc,
                                  hook_free};
        calls[domain] = 0;
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &wrapped[domain]);
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hooks);
    }
    Py_RETURN_NONE;
}

/* unhook() -> the calls of each domain */
static PyObject *unhook(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    for (int domain = 0; domain < DOMAINS; domain++)
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &wrapped[domain]);
    return Py_BuildValue("(lll)", calls[0], calls[1], calls[2]);
}

/* What it returns the interpreter frees with PyMem_RawFree(). */
static char *read_line(FILE *in, FILE *out, const char *prompt)
{
    (void)in;
    (void)out;
    (void)prompt;
    char *line = PyMem_RawMalloc(64);
    return line == NULL ? NULL : strcpy(line, "from the extension\n");
}

static PyObject *hook_readline(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyOS_ReadlineFunctionPointer = read_line;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"allocate", allocate, METH_VARARGS, NULL},
    {"resize", resize, METH_VARARGS, NULL},
    {"release", release, METH_VARARGS, NULL},
    {"capsule", make_capsule, METH_VARARGS, NULL},
    {"leave_ring", leave_ring, METH_VARARGS, NULL},
    {"count_nodes", count_nodes, METH_NOARGS, NULL},
    {"make_row", make_row, METH_VARARGS, NULL},
    {"resized_bytes", resized_bytes, METH_VARARGS, NULL},
    {"exchange_in_threads", exchange_in_threads, METH_NOARGS, NULL},
    {"hook", hook, METH_NOARGS, NULL},
    {"unhook", unhook, METH_NOARGS, NULL},
    {"hook_readline", hook_readline, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);
    if (type == NULL || PyModule_AddObject(module, name, type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    return 0;
}

static int prepare(PyObject *module)
{
    return add_type(module, "Node", &node_spec) < 0 ? -1 : add_type(module, "Row", &row_spec);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, prepare},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

/* The state is for the interpreter to allocate and free. */
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "extension", NULL, 4000, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_extension(void)
{
    return PyModuleDef_Init(&definition);
}
