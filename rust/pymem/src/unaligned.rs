//! A Rust allocator of four functions that know nothing of alignment, as CPython's are.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;

use crate::MIN_ALIGN;

/// The functions of one domain; constants, so the compiler calls them directly.
pub(crate) struct Unaligned {
    pub(crate) malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    pub(crate) calloc: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    pub(crate) realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    pub(crate) free: unsafe extern "C" fn(*mut c_void),
}

/// What is asked for where a layout has more than [`MIN_ALIGN`]: room to move the start up to a
/// multiple of its alignment, by [`MIN_ALIGN`] bytes at least.  The word before the start says
/// where the block really begins.  A sum that overflows becomes a size that is refused.
fn padded(size: usize, align: usize) -> usize {
    size.saturating_add(align)
}

/// Where nothing is padded: C promises that a block is aligned for what fits into it, so
/// eight bytes that are to be aligned to sixteen are asked for as sixteen.
fn whole(size: usize, align: usize) -> usize {
    size.max(align)
}

unsafe fn start_of(base: *mut u8, align: usize) -> *mut u8 {
    base.add(align - (base as usize & (align - 1)))
}

/// The start inside a padded block, noted there.
unsafe fn start_in(base: *mut u8, align: usize) -> *mut u8 {
    let start = start_of(base, align);
    debug_assert!(start as usize - base as usize >= size_of::<*mut u8>());
    start.cast::<*mut u8>().sub(1).write(base);
    start
}

unsafe fn base_of(start: *mut u8) -> *mut u8 {
    start.cast::<*mut u8>().sub(1).read()
}

// SAFETY: as in heap.rs; what is done about alignment is said at padded().
unsafe impl GlobalAlloc for Unaligned {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MIN_ALIGN {
            return (self.malloc)(whole(layout.size(), layout.align())).cast();
        }
        let base: *mut u8 = (self.malloc)(padded(layout.size(), layout.align())).cast();
        if base.is_null() {
            return base;
        }
        start_in(base, layout.align())
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let base = if layout.align() <= MIN_ALIGN { block } else { base_of(block) };
        (self.free)(base.cast());
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MIN_ALIGN {
            return (self.calloc)(1, whole(layout.size(), layout.align())).cast();
        }
        let base: *mut u8 = (self.calloc)(1, padded(layout.size(), layout.align())).cast();
        if base.is_null() {
            return base;
        }
        start_in(base, layout.align())
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() <= MIN_ALIGN {
            return (self.realloc)(block.cast(), whole(new_size, layout.align())).cast();
        }
        let base = base_of(block);
        let offset = block as usize - base as usize;
        let size = padded(new_size, layout.align());
        let moved: *mut u8 = (self.realloc)(base.cast(), size).cast();
        if moved.is_null() {
            return moved;
        }
        // Before the start is noted, which may lie on the contents.
        let kept = layout.size().min(new_size);
        ptr::copy(moved.add(offset), start_of(moved, layout.align()), kept);
        start_in(moved, layout.align())
    }
}
