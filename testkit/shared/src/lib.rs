//! What the tests of several crates share, so that every store is put through the same.

#![allow(clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

pub mod altered;
pub mod forks;
pub mod log;
