//! The heap itself.

use core::alloc::{GlobalAlloc, Layout};

use crate::MIN_ALIGN;

/// The heap, without a detour: the fastest of the three, for programs and for modules that do
/// not want Python to see their memory.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: pymem::Pymem = pymem::Pymem;
///
/// fn main() {
///     let numbers: Vec<u32> = (0..1000).collect();
///     assert!(pymem::owns(numbers.as_ptr()));
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Pymem;

// SAFETY: the C functions keep GlobalAlloc's promises: blocks are as large and as aligned as
// asked for (malloc aligns to MIN_ALIGN), stay until they are freed, do not move but by
// realloc, which leaves the block alone when it returns null; they do not unwind, and do not
// allocate through Rust.
unsafe impl GlobalAlloc for Pymem {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if layout.align() <= MIN_ALIGN {
            pymem_sys::pymem_malloc(layout.size())
        } else {
            pymem_sys::pymem_aligned_alloc(layout.align(), layout.size())
        };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() <= MIN_ALIGN {
            pymem_sys::pymem_free_sized(block.cast(), layout.size());
        } else {
            pymem_sys::pymem_free_aligned_sized(block.cast(), layout.align(), layout.size());
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if layout.align() <= MIN_ALIGN {
            pymem_sys::pymem_calloc(1, layout.size())
        } else {
            pymem_sys::pymem_aligned_calloc(layout.align(), 1, layout.size())
        };
        block.cast()
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let block = if layout.align() <= MIN_ALIGN {
            pymem_sys::pymem_realloc(block.cast(), new_size)
        } else {
            pymem_sys::pymem_aligned_realloc(block.cast(), layout.align(), new_size)
        };
        block.cast()
    }
}
