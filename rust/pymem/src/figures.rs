//! What the heap says of itself, and the little it can be told.

use core::mem::size_of;

pub use pymem_sys::pymem_stats as Stats;

/// What the heap holds at this moment.  Other threads may change the figures meanwhile.
///
/// It is the heap that this crate carries or is linked to: what [`PyMem`](crate::PyMem) and
/// [`PyMemRaw`](crate::PyMemRaw) take from a host is the host's.
///
/// ```
/// let stats = pymem::stats();
/// assert!(stats.allocated <= stats.active && stats.active <= stats.mapped);
/// ```
pub fn stats() -> Stats {
    let mut stats = Stats { struct_size: size_of::<Stats>(), ..Stats::default() };
    // SAFETY: the struct is as large as it says.
    let status = unsafe { pymem_sys::pymem_stats_get(&mut stats) };
    debug_assert_eq!(status, 0); // it refuses other sizes, and there is none
    stats
}

/// Writes a table of the figures to standard error, without allocating.
pub fn print_stats() {
    const STANDARD_ERROR: i32 = 2;
    // SAFETY: where it is closed, the error is ignored.
    unsafe { pymem_sys::pymem_stats_print(STANDARD_ERROR) }
}

/// Gives free pages back to the system: all that can be found from this thread.  Returns the
/// bytes.
pub fn trim() -> usize {
    // SAFETY: may be called at any time by any thread.
    unsafe { pymem_sys::pymem_trim() }
}

/// Is `p`, which may point anywhere and is not followed, the start of a live block of the heap?
pub fn owns<T>(p: *const T) -> bool {
    // SAFETY: any value may be asked about.
    unsafe { pymem_sys::pymem_owns(p.cast()) }
}

/// The bytes that may be used at `p`; 0 for null.
///
/// # Safety
///
/// `p` must be null or the start of a live block of the heap; for anything else the process
/// ends with a message.
pub unsafe fn usable_size<T>(p: *const T) -> usize {
    pymem_sys::pymem_usable_size(p.cast())
}

/// The version of the C library in use, such as "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: a static string, terminated, of ASCII characters.
    unsafe {
        let text = pymem_sys::pymem_version().cast::<u8>();
        let length = (0..).take_while(|&i| *text.add(i) != 0).count();
        core::str::from_utf8_unchecked(core::slice::from_raw_parts(text, length))
    }
}
