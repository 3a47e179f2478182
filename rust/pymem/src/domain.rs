//! Python's domains.  What stands behind them depends on the crate's features: the heap in the
//! program, or `PyMem_` functions, which know nothing of alignment.

use core::alloc::{GlobalAlloc, Layout};

#[cfg(not(any(feature = "system", feature = "host")))]
mod served {
    use crate::heap::Pymem;

    pub(super) const RAW: Pymem = Pymem;
    pub(super) const MEM: Pymem = Pymem;
}

#[cfg(feature = "system")]
mod served {
    use crate::unaligned::Unaligned;
    use pymem_sys::*;

    pub(super) const RAW: Unaligned = Unaligned {
        malloc: PyMem_RawMalloc,
        calloc: PyMem_RawCalloc,
        realloc: PyMem_RawRealloc,
        free: PyMem_RawFree,
    };
    pub(super) const MEM: Unaligned = Unaligned {
        malloc: PyMem_Malloc,
        calloc: PyMem_Calloc,
        realloc: PyMem_Realloc,
        free: PyMem_Free,
    };
}

#[cfg(all(feature = "host", not(feature = "system")))]
mod served {
    use crate::unaligned::Unaligned;
    use pymem_sys::*;

    pub(super) const RAW: Unaligned = Unaligned {
        malloc: pymem_host_raw_malloc,
        calloc: pymem_host_raw_calloc,
        realloc: pymem_host_raw_realloc,
        free: pymem_host_raw_free,
    };
    pub(super) const MEM: Unaligned = Unaligned {
        malloc: pymem_host_mem_malloc,
        calloc: pymem_host_mem_calloc,
        realloc: pymem_host_mem_realloc,
        free: pymem_host_mem_free,
    };
}

use served::{MEM, RAW};

/// The RAW domain, which any thread may use, with or without the interpreter's lock.
///
/// In an extension module with the feature `host` its blocks are the interpreter's: tracemalloc
/// sees them, and debug hooks check them.
///
/// While tracemalloc is on, CPython before 3.15 takes its lock in order to count a block of a
/// thread that does not hold it.  So a thread that holds the lock must let go of it
/// (`allow_threads`) before it waits for one that may allocate, be it by joining it, by a mutex
/// or by a channel.  Where that cannot be promised, [`Pymem`](crate::Pymem) is the allocator to
/// use: Python then knows nothing of the blocks.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: pymem::PyMemRaw = pymem::PyMemRaw;
///
/// fn main() {
///     let line = String::from("served by the RAW domain");
///     assert_eq!(line.len(), 24);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PyMemRaw;

/// The MEM domain: as [`PyMemRaw`], but inside an interpreter only for threads that hold its
/// lock.
///
/// A global allocator serves every thread, so in an extension module this is right only if no
/// code of the module allocates or frees without the lock: none in `allow_threads`, none in
/// threads of its own, nor in the destructors of their locals.  [`PyMemRaw`] asks for less.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: pymem::PyMem = pymem::PyMem;
///
/// fn main() {
///     assert_eq!(vec![1, 2, 3].len(), 3);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PyMem;

macro_rules! serve {
    ($name:ident, $by:expr) => {
        // SAFETY: all is done by an allocator that keeps the promises.
        unsafe impl GlobalAlloc for $name {
            #[inline]
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                $by.alloc(layout)
            }

            #[inline]
            unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
                $by.dealloc(block, layout)
            }

            #[inline]
            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                $by.alloc_zeroed(layout)
            }

            #[inline]
            unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
                $by.realloc(block, layout, new_size)
            }
        }
    };
}

serve!(PyMemRaw, RAW);
serve!(PyMem, MEM);
