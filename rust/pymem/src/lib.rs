#![doc = include_str!("../README.md")]
#![no_std]
#![warn(missing_docs)]

mod domain;
mod figures;
mod heap;
#[cfg(any(feature = "system", feature = "host"))]
mod unaligned;

pub use domain::{PyMem, PyMemRaw};
pub use figures::{owns, print_stats, stats, trim, usable_size, version, Stats};
pub use heap::Pymem;

/// Are the `PyMem_` functions, to which [`PyMem`] and [`PyMemRaw`] pass calls on, those of a
/// host: the interpreter, or a libpymem that is preloaded or linked?  The answer never changes.
#[cfg(feature = "host")]
pub fn host_is_present() -> bool {
    #[cfg(feature = "system")]
    return true;
    // SAFETY: reads one address that the loader has filled in.
    #[cfg(not(feature = "system"))]
    unsafe {
        pymem_sys::pymem_host_is_present()
    }
}

/// What every block is aligned to, without asking.
const MIN_ALIGN: usize = 16;
