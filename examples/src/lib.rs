//! Short programs that embed secretkit, each to be read at once.
//!
//! - [`api_keys`]: an application that keeps its own API keys; `cargo run -p secretkit-examples --bin own_api_keys`.
//! - [`jobs`]: a job runner that gives each job the secrets it asked for; `--bin job_runner`.
//! - [`reports`]: the application of `docs/tutorial-rust.md`; `--bin reports`.
//! - [`vec_store`]: a store of one's own, which passes the conformance kit in `tests/examples.rs`.
//!
//! The Python files beside this crate show the same from task code.

#![forbid(unsafe_code)]

pub mod api_keys;
pub mod jobs;
pub mod reports;
pub mod vec_store;
