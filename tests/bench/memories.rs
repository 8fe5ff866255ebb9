//! How long the index of memories takes to add an entry and to search: `cargo bench --bench memories`. What it finds is
//! measured by `recall.py` beside this.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a measurement, a panic is how a fault shows"
)]
#![allow(clippy::print_stderr, reason = "what criterion has no place for")]

use std::{fs, time::Duration};

use crew::{
    base::clock,
    engine::memory::index::{Document, Index, Meaning, Model, Query},
};
use criterion::{Criterion, criterion_group, criterion_main};
use tempfile::TempDir;

/// Words of an entry.
const LENGTH: usize = 30;
/// Words that there are; the first ones are said far more often than the last, as in any language.
const VOCABULARY: f64 = 50_000.0;

/// Numbers that look like chance and are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn word(&mut self) -> String {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "a fraction")]
        let fraction = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of a word")]
        let mut number = VOCABULARY.powf(fraction) as u64;
        let mut word = String::new();
        for _ in 0..4 {
            word.push_str(
                [
                    "ka", "to", "mi", "ren", "shu", "vel", "or", "dan", "pi", "lus", "gra", "net", "zo",
                    "qua", "fi",
                ][usize::try_from(number % 15).unwrap()],
            );
            number /= 15;
        }
        word
    }

    fn vector(&mut self) -> Vec<f32> {
        let mut number = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            f32::from(u16::try_from(self.0 >> 48).unwrap()) / 65_535.0 - 0.5
        };
        (0..DIMENSIONS).map(|_| number()).collect()
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn documents(chance: &mut Chance, from: usize, count: usize) -> Vec<Document> {
    let now = clock::now();
    (from..from + count).map(|at| Document::new(&format!("id{at}"), "e", &chance.text(LENGTH), now)).collect()
}

fn search(index: &Index, text: &str) -> usize {
    search_meaning(index, text, None)
}

fn search_meaning(index: &Index, text: &str, meaning: Option<&Meaning>) -> usize {
    let query =
        Query { text, employees: &[], limit: 10, least: 0.0, now: clock::now(), half_life_days: 90.0 };
    index.search_meaning(&query, meaning, &|_| true).unwrap().len()
}

/// Milliseconds at which half and nearly all are done.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99))
}

fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmRSS")).map(|line| line.replace('\t', " ")).collect()
}

fn memories(bench: &mut Criterion) {
    for count in [1_000, 10_000, 100_000] {
        let folder = TempDir::with_prefix("crew-bench-").unwrap();
        let path = folder.path().join("index.db");
        let mut chance = Chance(88_172_645_463_325_252);
        let index = Index::open(&path).unwrap();
        let filling = clock::Stopwatch::start();
        for at in (0..count).step_by(1_000) {
            index.put(&documents(&mut chance, at, 1_000)).unwrap();
        }
        index.settle().unwrap();
        eprintln!("{count} entries: filled in {:.1?}", filling.elapsed());
        let mut number = count;
        let mut times = Vec::new();
        for _ in 0..2_000 {
            number += 1;
            let document = documents(&mut chance, number, 1);
            let one = clock::Stopwatch::start();
            index.put(&document).unwrap();
            times.push(one.elapsed());
            // As a server does behind whoever adds.
            if index.is_unsettled() {
                index.settle().unwrap();
            }
        }
        eprintln!("{count} entries: add one: {}", spread(times));
        drop(index);
        let opening = clock::Stopwatch::start();
        let index = Index::open(&path).unwrap();
        search(&index, &chance.text(7));
        let first = opening.elapsed();
        search(&index, "支付网关超时");
        eprintln!(
            "{count} entries: first answer after {first:.1?}, with the Chinese dictionary {:.1?}",
            opening.elapsed()
        );
        let mut times = Vec::new();
        for _ in 0..2_000 {
            let text = chance.text(7);
            let one = clock::Stopwatch::start();
            search(&index, &text);
            times.push(one.elapsed());
        }
        eprintln!("{count} entries: search: {}; {}", spread(times), memory());
        let id = format!("search {count} entries");
        bench.bench_function(&id, |run| {
            run.iter_batched(
                || chance.text(7),
                |text| search(&index, &text),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

/// Dimensions of a vector of the models that are small and good.
const DIMENSIONS: usize = 384;

/// Searches by words and by what they mean, in a hundred thousand entries with vectors.
fn meaning(bench: &mut Criterion) {
    let count = 100_000;
    let folder = TempDir::with_prefix("crew-bench-").unwrap();
    let path = folder.path().join("index.db");
    let mut chance = Chance(88_172_645_463_325_252);
    let index = Index::open(&path).unwrap();
    for at in (0..count).step_by(1_000) {
        index.put(&documents(&mut chance, at, 1_000)).unwrap();
    }
    index.settle().unwrap();
    let model = Model { name: "bench", scope: "all" };
    let filling = clock::Stopwatch::start();
    while let Some(bare) = index.bare(model, 256).unwrap() {
        let vectors: Vec<_> = bare.ids.iter().map(|_| Some(chance.vector())).collect();
        index.keep(model, &bare, &vectors).unwrap();
    }
    eprintln!("{count} vectors: kept in {:.1?}", filling.elapsed());
    drop(index);
    let index = Index::open(&path).unwrap();
    let first = clock::Stopwatch::start();
    let means = |chance: &mut Chance| Meaning {
        model: model.name.into(),
        vector: chance.vector().into(),
        floor: 0.1,
    };
    search_meaning(&index, &chance.text(7), Some(&means(&mut chance)));
    eprintln!("{count} vectors: first answer after {:.1?}; {}", first.elapsed(), memory());
    for (what, with) in [("by words", false), ("by both", true)] {
        let mut times = Vec::new();
        for _ in 0..1_000 {
            let (text, meaning) = (chance.text(7), with.then(|| means(&mut chance)));
            let one = clock::Stopwatch::start();
            search_meaning(&index, &text, meaning.as_ref());
            times.push(one.elapsed());
        }
        eprintln!("{count} vectors: search {what}: {}", spread(times));
    }
    bench.bench_function("search 100000 vectors and words", |run| {
        run.iter_batched(
            || (chance.text(7), means(&mut chance)),
            |(text, meaning)| search_meaning(&index, &text, Some(&meaning)),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, memories, meaning);
criterion_main!(benches);
