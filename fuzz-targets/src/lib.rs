//! What must hold of everything that reads bytes which somebody else may have written: records, names, files, stores.
//!
//! Each target takes any bytes and panics where a property does not hold. `tests/corpus.rs` runs all of them over
//! `corpus/` and over mutations of it, with the stable toolchain; `make fuzz` lets libFuzzer look for more.

#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used, reason = "a panic is the report")]

mod canonical;
mod command_line;
mod exchange;
mod files;
mod golden;
mod names;
mod record;
mod store;

pub mod mutator;

/// One thing that reads bytes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Its name: that of its folder in `corpus/` and of its program in `fuzz/fuzz_targets/`.
    pub name: &'static str,
    /// Reads these bytes, and panics where what must hold does not.
    pub run: fn(&[u8]),
    /// How many mutations of its corpus `make test` runs: as many as take about a second without optimisation.
    pub mutations: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), mutations: usize) -> Target {
    Target { name, run, mutations }
}

/// All of them.
pub const TARGETS: [Target; 17] = [
    target("record", record::record, 4_000),
    target("canonical", canonical::canonical, 10_000),
    target("context", canonical::context, 10_000),
    target("event", canonical::event, 10_000),
    target("keyset", canonical::keyset, 10_000),
    target("names", names::names, 10_000),
    target("encoding", names::encoding, 10_000),
    target("dotenv", exchange::dotenv, 10_000),
    target("json", exchange::json, 10_000),
    target("nextflow", exchange::nextflow, 10_000),
    target("template", exchange::template, 2_000),
    target("directory", exchange::directory, 100),
    target("root_key", files::root_key, 2_000),
    target("anchor", files::anchor, 1_000),
    target("store", store::store, 60),
    target("arguments", command_line::arguments, 300),
    target("completion", command_line::completion, 300),
];

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Target {
    TARGETS.into_iter().find(|target| target.name == name).unwrap_or_else(|| panic!("there is no target {name}"))
}
