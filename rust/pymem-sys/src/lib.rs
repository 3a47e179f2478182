#![doc = include_str!("../README.md")]
#![no_std]
#![allow(non_camel_case_types)]
#![warn(missing_docs)]

use core::ffi::c_void;
use core::mem::size_of;

/// `c_char` and `c_int` of the platforms that libpymem knows; `core::ffi` has them from Rust
/// 1.64 on.
#[cfg(target_arch = "x86_64")]
type c_char = i8;
#[cfg(not(target_arch = "x86_64"))]
type c_char = u8;
type c_int = i32;

/// The version of [`pymem_stats`] that these bindings are for.
pub const PYMEM_STATS_VERSION: u32 = 1;

/// What the heap holds at this moment: `struct pymem_stats` of `<pymem/stats.h>`, in bytes
/// where no other unit is named.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct pymem_stats {
    /// `size_of::<pymem_stats>()`, set by the caller.
    pub struct_size: usize,
    /// [`PYMEM_STATS_VERSION`], set by the library.
    pub version: u32,
    /// Zero.
    pub reserved: u32,
    /// In live blocks, rounding included.
    pub allocated: u64,
    /// In spans that hold pools or large blocks.
    pub active: u64,
    /// In free spans whose pages are still resident.
    pub dirty: u64,
    /// In arenas: address space, resident or not.
    pub mapped: u64,
    /// In the heap's own tables.
    pub metadata: u64,
    /// In large blocks, part of `allocated`.
    pub large: u64,
    /// Number of live blocks, large ones included.
    pub live_blocks: u64,
    /// Number of large blocks.
    pub large_blocks: u64,
    /// Number of pools in use.
    pub pools: u64,
    /// Number of arenas.
    pub arenas: u64,
    /// Number of heaps of threads in use.
    pub heaps: u64,
    /// The highest `active` so far.
    pub peak_active: u64,
    /// Given back to the system so far.
    pub purged: u64,
}

const _: () = assert!(size_of::<pymem_stats>() == 8 + 2 * 4 + 13 * 8);

// <pymem/malloc.h>
extern "C" {
    /// Gives `block` back; null does nothing.
    pub fn pymem_free(block: *mut c_void);
    /// The same for a block that was asked for with `size` bytes; a larger size than the block
    /// has ends the process.
    pub fn pymem_free_sized(block: *mut c_void, size: usize);
    /// The same for a block that was asked for with an alignment as well.
    pub fn pymem_free_aligned_sized(block: *mut c_void, align: usize, size: usize);
    /// `size` bytes, aligned to 16; null: no memory.
    pub fn pymem_malloc(size: usize) -> *mut c_void;
    /// `count` elements of `size` bytes, all zero.
    pub fn pymem_calloc(count: usize, size: usize) -> *mut c_void;
    /// The block resized; null: no memory, and `block` is as it was.
    pub fn pymem_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    /// As `pymem_malloc`, at a multiple of `align`, a power of two.
    pub fn pymem_aligned_alloc(align: usize, size: usize) -> *mut c_void;
    /// As `pymem_calloc`, at a multiple of `align`.
    pub fn pymem_aligned_calloc(align: usize, count: usize, size: usize) -> *mut c_void;
    /// As `pymem_realloc`, to a multiple of `align`.
    pub fn pymem_aligned_realloc(block: *mut c_void, align: usize, size: usize) -> *mut c_void;
}

// <pymem/pymem.h>
extern "C" {
    /// Is `p`, which may be any address, the start of a live block?
    pub fn pymem_owns(p: *const c_void) -> bool;
    /// The bytes that may be used at `p`, a live block; 0 for null.
    pub fn pymem_usable_size(p: *const c_void) -> usize;
    /// Gives free pages back to the system; returns the bytes.
    pub fn pymem_trim() -> usize;
    /// The library's version, static.
    pub fn pymem_version() -> *const c_char;
}

// <pymem/stats.h>
extern "C" {
    /// Fills `stats`, whose `struct_size` is set; 0, or -1 with errno `EINVAL`.
    pub fn pymem_stats_get(stats: *mut pymem_stats) -> c_int;
    /// Writes a table to a file descriptor.
    pub fn pymem_stats_print(fd: c_int);
}

/// CPython's names, which the shared library has: they serve the heap, or inside an
/// interpreter pass calls on to it.
#[cfg(feature = "system")]
mod pymem_h {
    use core::ffi::c_void;
    extern "C" {
        /// The RAW domain: any thread.
        pub fn PyMem_RawMalloc(size: usize) -> *mut c_void;
        /// See [`PyMem_RawMalloc`].
        pub fn PyMem_RawCalloc(count: usize, size: usize) -> *mut c_void;
        /// See [`PyMem_RawMalloc`].
        pub fn PyMem_RawRealloc(block: *mut c_void, size: usize) -> *mut c_void;
        /// See [`PyMem_RawMalloc`].
        pub fn PyMem_RawFree(block: *mut c_void);
        /// The MEM domain: inside an interpreter, for threads that hold its lock.
        pub fn PyMem_Malloc(size: usize) -> *mut c_void;
        /// See [`PyMem_Malloc`].
        pub fn PyMem_Calloc(count: usize, size: usize) -> *mut c_void;
        /// See [`PyMem_Malloc`].
        pub fn PyMem_Realloc(block: *mut c_void, size: usize) -> *mut c_void;
        /// See [`PyMem_Malloc`].
        pub fn PyMem_Free(block: *mut c_void);
    }
}
#[cfg(feature = "system")]
pub use pymem_h::*;

/// The domains of the interpreter that the module was loaded into, else of the heap inside
/// the module (`host.c`).
#[cfg(all(feature = "host", not(feature = "system")))]
mod host_c {
    use core::ffi::c_void;
    extern "C" {
        /// Has somebody else in this process the `PyMem_` functions?
        pub fn pymem_host_is_present() -> bool;
        /// `PyMem_RawMalloc` of the host.
        pub fn pymem_host_raw_malloc(size: usize) -> *mut c_void;
        /// `PyMem_RawCalloc` of the host.
        pub fn pymem_host_raw_calloc(count: usize, size: usize) -> *mut c_void;
        /// `PyMem_RawRealloc` of the host.
        pub fn pymem_host_raw_realloc(block: *mut c_void, size: usize) -> *mut c_void;
        /// `PyMem_RawFree` of the host.
        pub fn pymem_host_raw_free(block: *mut c_void);
        /// `PyMem_Malloc` of the host.
        pub fn pymem_host_mem_malloc(size: usize) -> *mut c_void;
        /// `PyMem_Calloc` of the host.
        pub fn pymem_host_mem_calloc(count: usize, size: usize) -> *mut c_void;
        /// `PyMem_Realloc` of the host.
        pub fn pymem_host_mem_realloc(block: *mut c_void, size: usize) -> *mut c_void;
        /// `PyMem_Free` of the host.
        pub fn pymem_host_mem_free(block: *mut c_void);
    }
}
#[cfg(all(feature = "host", not(feature = "system")))]
pub use host_c::*;
