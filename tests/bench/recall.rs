//! What `recall.py` beside this measures: the index of memories alone, without files, tools and commands.
//!
//! ```text
//! bench-recall FOLDER   a collection a line on stdin, its recall at 10 a line on stdout; the index is made in FOLDER
//! ```
//!
//! A collection is `{"name", "entries": [[id, text]], "questions": [[text, [id]]]}`. What an answer counts is how much of
//! what fits is among the first ten.
#![allow(clippy::unwrap_used, reason = "in a measurement, a panic is how a fault shows")]
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::{
    io::{self, BufRead as _},
    path::Path,
    time::Duration,
};

use crew::{
    base::clock,
    engine::memory::index::{Document, Index, Query},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Collection {
    name: String,
    entries: Vec<(String, String)>,
    questions: Vec<(String, Vec<String>)>,
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let collection: Collection = serde_json::from_str(&line.unwrap()).unwrap();
        measure(&collection, &Path::new(&folder).join(format!("{number}.db")));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn measure(collection: &Collection, path: &Path) {
    let index = Index::open(path).unwrap();
    let now = clock::now();
    let documents: Vec<Document> =
        collection.entries.iter().map(|(id, text)| Document::new(id, "e", text, now)).collect();
    let writing = clock::Stopwatch::start();
    // One after the other, as memories come.
    for document in &documents {
        index.put(std::slice::from_ref(document)).unwrap();
        if index.is_unsettled() {
            index.settle().unwrap();
        }
    }
    let written = writing.elapsed();
    let searching = clock::Stopwatch::start();
    let (mut sum, mut slowest) = (0.0, Duration::ZERO);
    for (text, wanted) in &collection.questions {
        let one = clock::Stopwatch::start();
        let query = Query { text, employees: &[], limit: 10, least: 0.0, now, half_life_days: 90.0 };
        let hits = index.search(&query, &|_| true).unwrap();
        slowest = slowest.max(one.elapsed());
        sum += hits.iter().filter(|hit| wanted.contains(&hit.id)).count() as f64 / wanted.len() as f64;
    }
    let questions = collection.questions.len();
    let answer = serde_json::json!({
        "name": collection.name,
        "questions": questions,
        "recall": sum / questions as f64,
        "put_ms": written.as_secs_f64() * 1e3 / documents.len() as f64,
        "search_ms": searching.elapsed().as_secs_f64() * 1e3 / questions as f64,
        "slowest_ms": slowest.as_secs_f64() * 1e3,
    });
    println!("{answer}");
}
