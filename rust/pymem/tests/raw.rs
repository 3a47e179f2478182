//! The suite with [`pymem::PyMemRaw`] as the global allocator.

#[global_allocator]
static GLOBAL: pymem::PyMemRaw = pymem::PyMemRaw;

mod suite;
