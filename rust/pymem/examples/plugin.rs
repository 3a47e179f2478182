//! A plugin for programs that need not have Python: `PyMemRaw` uses the host's RAW domain where
//! there is one, and else the heap that the plugin carries.
//!
//! Built with `--features host`; `tests/rust/host.c` loads it.

#[global_allocator]
static GLOBAL: pymem::PyMemRaw = pymem::PyMemRaw;

/// Does somebody else in the process serve the plugin's blocks?
#[no_mangle]
pub extern "C" fn plugin_has_host() -> bool {
    pymem::host_is_present()
}

/// Is the heap that the plugin carries the one its blocks come from?
#[no_mangle]
pub extern "C" fn plugin_serves_itself() -> bool {
    let words: Vec<String> = (0..1000).map(|i| i.to_string()).collect();
    words.iter().all(|word| pymem::owns(word.as_ptr()))
}

/// A block of the plugin's, for as long as the process runs.
#[no_mangle]
pub extern "C" fn plugin_block(size: usize) -> *mut u8 {
    Box::leak(vec![1_u8; size].into_boxed_slice()).as_mut_ptr()
}
