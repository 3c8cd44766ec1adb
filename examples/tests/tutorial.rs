//! The code of `docs/tutorial-rust.md` is code that is compiled and run, and its output is what it prints.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::process::Command;

const PAGE: &str = include_str!("../../docs/tutorial-rust.md");

/// Where the tutorial's code stands.
const SOURCES: [&str; 3] =
    [include_str!("../src/reports.rs"), include_str!("../src/bin/reports.rs"), include_str!("reports.rs")];

/// The blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_block_is_code_that_runs() {
    let found = blocks("rust");
    assert!(found.len() > 5);
    for block in found {
        let known = SOURCES.iter().any(|source| source.contains(block));
        assert!(known, "this is not in the sources:\n{block}");
    }
}

#[test]
fn the_program_prints_what_the_page_shows() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_reports")).current_dir(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(blocks("text"), [String::from_utf8(output.stdout).unwrap()]);
}
