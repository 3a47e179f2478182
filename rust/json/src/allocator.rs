//! The allocator of this module, and others to compare it with.

#[cfg(not(any(
    feature = "heap",
    feature = "mem_domain",
    feature = "plain_pymem",
    feature = "system_allocator"
)))]
#[global_allocator]
static GLOBAL: pymem::PyMemRaw = pymem::PyMemRaw;

#[cfg(feature = "heap")]
#[global_allocator]
static GLOBAL: pymem::Pymem = pymem::Pymem;

/// Wrong in `exchange_in_threads`, where the interpreter's lock is not held.
#[cfg(feature = "mem_domain")]
#[global_allocator]
static GLOBAL: pymem::PyMem = pymem::PyMem;

#[cfg(feature = "system_allocator")]
#[global_allocator]
static GLOBAL: std::alloc::System = std::alloc::System;

/// What modules have written for themselves so far: it ignores alignment, writes through null,
/// zeroes what is zero, and is wrong in threads without the interpreter's lock.
#[cfg(feature = "plain_pymem")]
mod plain {
    use std::alloc::{GlobalAlloc, Layout};

    struct Plain;

    unsafe impl GlobalAlloc for Plain {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            pyo3_ffi::PyMem_Malloc(layout.size()).cast()
        }
        unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
            pyo3_ffi::PyMem_Free(block.cast())
        }
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            let block: *mut u8 = pyo3_ffi::PyMem_Malloc(layout.size()).cast();
            block.write_bytes(0, layout.size());
            block
        }
        unsafe fn realloc(&self, block: *mut u8, _layout: Layout, new_size: usize) -> *mut u8 {
            pyo3_ffi::PyMem_Realloc(block.cast(), new_size).cast()
        }
    }

    #[global_allocator]
    static GLOBAL: Plain = Plain;
}

pub(crate) fn name() -> &'static str {
    if cfg!(feature = "heap") {
        "heap"
    } else if cfg!(feature = "mem_domain") {
        "mem"
    } else if cfg!(feature = "plain_pymem") {
        "plain_pymem"
    } else if cfg!(feature = "system_allocator") {
        "system"
    } else {
        "pymem"
    }
}
