# shellcheck shell=bash
# rustc and cargo: build and run a small program without dependencies.
needs=(cargo=cargo rustc=rustc)
probe=(rustc --version)

version() {
  rustc --version
}

prepare() {
  mkdir -p "$dir/source/src"
  printf '[package]\nname = "work"\nversion = "0.1.0"\nedition = "2021"\n' >"$dir/source/Cargo.toml"
  cat >"$dir/source/src/main.rs" <<'END'
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::thread;

fn work(seed: u64) -> u64 {
    let mut state = seed;
    let mut random = move |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    let mut words: HashMap<String, Vec<u64>> = HashMap::new();
    for i in 0..300_000 {
        words.entry(format!("w{}", random(20_000))).or_default().push(i);
    }
    let sorted: BTreeMap<_, _> = words.into_iter().collect();
    sorted.iter().fold(7, |sum: u64, (word, list)| {
        sum.wrapping_mul(31).wrapping_add(list.iter().sum::<u64>() + word.len() as u64)
    })
}

fn main() {
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (1..5)
        .map(|seed| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(vec![seed, work(seed)]).unwrap())
        })
        .collect();
    drop(sender);
    let mut all: Vec<_> = receiver.iter().collect();
    for thread in threads {
        thread.join().unwrap();
    }
    all.sort();
    println!("{:?}", all);
}
END
}

job() {
  under cargo build --quiet --release --offline --manifest-path "$dir/source/Cargo.toml" --target-dir target
  under target/release/work
}
