//! What secretkit costs, as ratios against baselines taken in the same run. `benches/run` builds and calls it.
//!
//! `bench` prints the rows; the other words are run by it in processes of their own.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints a table")]

mod data;
mod measure;
mod memory;
mod processes;
mod sealing;
mod sqlite;

use std::error::Error;

/// Anything may fail here, and then the bench ends with what it says.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => table(),
        ["resident", store, key] => processes::print_resident(store, key),
        ["create", kind, directory, count] => sqlite::create_many(kind, directory.as_ref(), count.parse()?),
        _ => Err("no such word".into()),
    }
}

fn table() -> Outcome {
    measure::print_headings();
    sealing::rows()?;
    memory::rows()?;
    sqlite::rows()?;
    processes::rows()
}
