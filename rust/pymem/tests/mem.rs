//! The suite with [`pymem::PyMem`] as the global allocator.

#[global_allocator]
static GLOBAL: pymem::PyMem = pymem::PyMem;

mod suite;
