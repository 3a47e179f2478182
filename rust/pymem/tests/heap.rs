//! The suite with [`pymem::Pymem`] as the global allocator.

#[global_allocator]
static GLOBAL: pymem::Pymem = pymem::Pymem;

mod suite;

#[test]
fn what_rust_allocates_is_the_heaps() {
    let block = Box::new([0_u8; 1000]);
    assert!(pymem::owns(&*block));
    assert!(!pymem::owns(&block[1]));
    assert!(unsafe { pymem::usable_size(&*block) } >= 1000);
    assert!(!pymem::owns(std::ptr::null::<u8>()));
    assert!(!pymem::owns(&0_u8));
}

#[test]
fn figures_follow_what_is_allocated() {
    let before = pymem::stats();
    let blocks: Vec<_> = (0..100).map(|_| Vec::<u8>::with_capacity(10 << 20)).collect();
    let during = pymem::stats();
    // Other tests run beside this one, and hold less than the difference.
    assert!(during.allocated >= before.allocated + (700 << 20));
    assert!(during.large_blocks >= before.large_blocks + 70);
    drop(blocks);
    pymem::trim();
    assert!(pymem::stats().allocated < during.allocated - (300 << 20));
}

#[test]
fn the_version_is_the_crates() {
    assert_eq!(pymem::version(), env!("CARGO_PKG_VERSION"));
}
