/*
 * embed_linked.c - python itself, by way of the libpython that it is linked to.
 */
#include <Python.h>

int main(int argc, char **argv)
{
    return Py_BytesMain(argc, argv);
}
