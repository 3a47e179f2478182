//! What every global allocator of this crate must do.  The test programs name theirs `GLOBAL`.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use crate::GLOBAL;

const MIB: usize = 1 << 20;

/// Around the border of every size class, and large blocks.  A few of each when
/// PYMEM_TEST_FEWER is set, as under valgrind.
fn sizes() -> Vec<usize> {
    let mut sizes: Vec<usize> = (1..=8).flat_map(|i| [16 * i - 15, 16 * i - 1, 16 * i]).collect();
    let mut power = 128;
    while power < 32768 {
        sizes.extend((1..=8).flat_map(|i| [power + power / 8 * i - 1, power + power / 8 * i]));
        power *= 2;
    }
    sizes.extend([32769, 65536, 100_000, 300_001, MIB, 3 * MIB + 5, 9 * MIB]);
    let step = if std::env::var_os("PYMEM_TEST_FEWER").is_some() { 13 } else { 1 };
    sizes.into_iter().step_by(step).collect()
}

fn alignments() -> impl Iterator<Item = usize> {
    (0..=21).map(|shift| 1 << shift)
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn pattern(seed: usize, i: usize) -> u8 {
    (seed.wrapping_mul(31) ^ i ^ (i >> 8)) as u8
}

/// Every byte of a small block; of a large one the first 64, the first of each page, and the last.
fn places(size: usize) -> impl Iterator<Item = usize> {
    let step = if size > 65536 { 4096 } else { 1 };
    (0..size.min(64)).chain((0..size).step_by(step)).chain(Some(size - 1))
}

unsafe fn fill(block: *mut u8, size: usize, seed: usize) {
    places(size).for_each(|i| *block.add(i) = pattern(seed, i));
}

unsafe fn holds(block: *const u8, size: usize, seed: usize) -> bool {
    places(size).all(|i| *block.add(i) == pattern(seed, i))
}

#[test]
fn every_alignment_with_every_size_class() {
    for align in alignments() {
        for size in sizes() {
            let layout = layout(size, align);
            unsafe {
                let blocks: Vec<_> = (0..3).map(|_| GLOBAL.alloc(layout)).collect();
                for (seed, &block) in blocks.iter().enumerate() {
                    assert!(!block.is_null());
                    assert_eq!(block as usize % align, 0, "{layout:?}");
                    fill(block, size, seed);
                }
                for (seed, &block) in blocks.iter().enumerate() {
                    assert!(holds(block, size, seed), "{layout:?}");
                    GLOBAL.dealloc(block, layout);
                }
            }
        }
    }
}

#[test]
fn zeroed_blocks_are_zero() {
    for align in alignments() {
        for size in sizes() {
            let layout = layout(size, align);
            unsafe {
                let used = GLOBAL.alloc(layout); // so that what comes next has a past
                fill(used, size, 1);
                GLOBAL.dealloc(used, layout);
                let block = GLOBAL.alloc_zeroed(layout);
                assert!(!block.is_null());
                assert_eq!(block as usize % align, 0, "{layout:?}");
                assert!((0..size).all(|i| *block.add(i) == 0), "{layout:?}");
                GLOBAL.dealloc(block, layout);
            }
        }
    }
}

#[test]
fn grown_and_shrunk_blocks_keep_what_they_hold() {
    let seed = seed();
    let mut random = Random(seed);
    let sizes = sizes();
    for align in alignments() {
        unsafe {
            let mut size = sizes[0];
            let mut block = GLOBAL.alloc(layout(size, align));
            for _ in 0..200 {
                let size_now = sizes[random.below(sizes.len())];
                fill(block, size, size);
                let kept = size.min(size_now);
                let first = std::slice::from_raw_parts(block, kept.min(64)).to_vec();
                let last_place = if size > 65536 && kept < size { 0 } else { kept - 1 };
                let last = *block.add(last_place);
                block = GLOBAL.realloc(block, layout(size, align), size_now);
                assert!(!block.is_null(), "seed {seed}");
                assert_eq!(block as usize % align, 0, "seed {seed}");
                assert_eq!(std::slice::from_raw_parts(block, first.len()), first, "seed {seed}");
                assert_eq!(*block.add(last_place), last, "seed {seed}");
                size = size_now;
            }
            GLOBAL.dealloc(block, layout(size, align));
        }
    }
}

#[test]
fn a_vector_grows_and_shrinks() {
    let mut numbers = Vec::new();
    for i in 0..3_000_000_u64 {
        numbers.push(i);
    }
    numbers.truncate(1000);
    numbers.shrink_to_fit();
    numbers.reserve(20_000_000);
    assert!(numbers.iter().copied().eq(0..1000));
}

#[allow(clippy::vec_box)] // blocks are what it is for
struct Parcel {
    boxes: Vec<Box<[u64; 9]>>,
    texts: Vec<String>,
    map: HashMap<u32, String>,
    tree: BTreeMap<String, Vec<u8>>,
}

impl Parcel {
    fn new(random: &mut Random) -> Parcel {
        let start = random.below(1000) as u64;
        let texts: Vec<_> = (0..random.below(40)).map(|i| "x".repeat(i * 7)).collect();
        Parcel {
            boxes: (0..random.below(50) as u64).map(|i| Box::new([start + i; 9])).collect(),
            map: (0..random.below(60) as u32).map(|i| (i, i.to_string())).collect(),
            tree: texts.iter().map(|t| (t.clone(), vec![b'y'; t.len()])).collect(),
            texts,
        }
    }

    fn check(&self) {
        let first = self.boxes.first().map_or(0, |b| b[0]);
        for (i, block) in self.boxes.iter().enumerate() {
            assert_eq!(**block, [first + i as u64; 9]);
        }
        assert!(self.texts.iter().enumerate().all(|(i, t)| t.len() == i * 7));
        assert!(self.map.iter().all(|(key, text)| key.to_string() == *text));
        assert!(self.tree.iter().all(|(key, bytes)| key.len() == bytes.len()));
    }
}

/// Each of 8 threads makes parcels and sends them on to the next, which opens half of them,
/// packs something of its own in and lets the rest go: most blocks are freed by others than
/// those who made them.
#[test]
fn eight_threads_move_things_between_each_other() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 300;
    let seed = seed();
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel::<Parcel>()).unzip();
    let mut workers = Vec::new();
    for (number, receiver) in receivers.into_iter().enumerate() {
        let next = senders[(number + 1) % THREADS].clone();
        let after = senders[(number + 3) % THREADS].clone();
        workers.push(thread::spawn(move || {
            let mut random = Random(seed + number as u64);
            let mut kept = Vec::new();
            for _ in 0..ROUNDS {
                // The next may have ended: more came to it than it waited for.
                let _ = next.send(Parcel::new(&mut random));
                let mut parcel = receiver.recv().unwrap();
                parcel.check();
                if random.below(2) == 0 {
                    parcel.texts.clear();
                    kept.push(parcel);
                } else if random.below(4) == 0 {
                    let _ = after.send(Parcel::new(&mut random));
                }
            }
            kept.len()
        }));
    }
    drop(senders);
    for worker in workers {
        assert!(worker.join().unwrap() > 0, "seed {seed}");
    }
}

/// In a process of its own, for the limit stays.
#[test]
fn a_refusal_is_an_error_that_can_be_handled() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "suite::under_a_limit", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
}

#[test]
#[ignore = "sets a limit on the process"]
fn under_a_limit() {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let mut bytes: Vec<u8> = vec![7; 1000];
    assert!(bytes.try_reserve(2 << 30).is_err());
    assert!(bytes.try_reserve(isize::MAX as usize - 5000).is_err());
    assert_eq!(bytes, [7; 1000]);
    unsafe {
        let big = layout(2 << 30, 4096);
        assert!(GLOBAL.alloc(big).is_null());
        assert!(GLOBAL.alloc_zeroed(big).is_null());
        let small = layout(100, 64);
        let block = GLOBAL.alloc(small);
        fill(block, 100, 3);
        assert!(GLOBAL.realloc(block, small, 2 << 30).is_null());
        assert!(holds(block, 100, 3));
        GLOBAL.dealloc(block, small);
    }
    // Up to the limit, in pieces; what comes back can be had again.
    for _ in 0..3 {
        let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(10_000);
        loop {
            let mut piece = Vec::new();
            if pieces.len() == 10_000 || piece.try_reserve_exact(300_000).is_err() {
                break;
            }
            piece.push(1);
            pieces.push(piece);
        }
        assert!(pieces.len() > 1000 && pieces.len() < 4000, "{}", pieces.len());
    }
}

/// From the environment, so that a failure can be repeated.
fn seed() -> u64 {
    let given = std::env::var("PYMEM_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("PYMEM_TEST_SEED={seed}");
    seed
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % limit
    }
}
