/*
 * pymem/attributes.h - what our declarations tell the compiler, where it listens.
 */
#ifndef PYMEM_ATTRIBUTES_H
#define PYMEM_ATTRIBUTES_H

#if defined(__GNUC__)
#define PYMEM_ATTR(...) __attribute__((__VA_ARGS__))
#else
#define PYMEM_ATTR(...)
#endif

#endif /* PYMEM_ATTRIBUTES_H */
