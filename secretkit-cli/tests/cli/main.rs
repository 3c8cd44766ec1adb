//! The command as people and scripts meet it: real processes, real files, a real terminal.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "here a panic is the report")]
#![allow(clippy::print_stderr, reason = "a test that cannot run here says why")]

mod anchor;
mod bad_input;
mod coming_from;
mod completions;
mod completions_in_shells;
mod consumers;
mod data;
mod doctor;
mod documents;
mod exchange;
mod finding;
mod first_use;
mod fleet;
mod in_use;
mod key_places;
mod keys;
mod leaks;
mod listing;
mod man;
mod metadata;
mod names;
mod postgres;
mod prompt;
mod render;
mod revisions;
mod run;
mod run_signals;
mod sandbox;
mod store_copy;
mod store_copy_postgres;
mod terminal;
mod upkeep;
mod values;
mod verify_value;
mod write_only;
