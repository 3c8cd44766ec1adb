//! What a store does, told to the host's own monitoring: how often it is called, how long that takes, and what kind of
//! error comes back.
//!
//! [`ObservedStore`] wraps any store and speaks to the facades `metrics` and `tracing`. Where the host has installed no
//! recorder and no subscriber, nobody listens and next to nothing is spent. secretkit itself sends nothing anywhere.
//!
//! | name | what | labels |
//! |---|---|---|
//! | `secretkit_store_calls_total` | counter of calls | `call`, `outcome` |
//! | `secretkit_store_call_seconds` | histogram of their duration in seconds | `call` |
//! | `secretkit_store_items_total` | counter of what was asked for or changed: wants, changes | `call` |
//!
//! `call` is a method of [`SecretStore`](secretkit_core::SecretStore). `outcome` is `ok`, `refused` for a commit whose
//! expectation did not hold, `given_up` for a `touch` that did not record a use because others were writing, as it is meant
//! to, or the [`ErrorKind`](secretkit_core::ErrorKind) of a failure as text. Both are from short, fixed lists.
//! Of each call there is a span `secretkit.store` at level `DEBUG` with `call`, `org` and `outcome`, and an event at
//! `WARN` where it failed. There is no value, no digest, no name of a secret and no text of an error in any of them.
//!
//! ```
//! use std::sync::Arc;
//! use secretkit_core::MemoryStore;
//! use secretkit_observe::ObservedStore;
//!
//! let store = Arc::new(ObservedStore::new(Arc::new(MemoryStore::new())));
//! # let _ = store;
//! ```

#![forbid(unsafe_code)]

mod call;
mod store;

pub use call::describe;
pub use store::ObservedStore;
