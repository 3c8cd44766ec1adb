//! A cache in front of any store. It keeps sealed records, as the store does, and never a value.
//!
//! ```
//! use std::sync::Arc;
//! use secretkit_cache::{CacheOptions, CachedStore};
//! use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretValue, Secrets};
//!
//! let store = Arc::new(MemoryStore::new());
//! let cached = Arc::new(CachedStore::new(store, CacheOptions::default()));
//! let secrets = Secrets::new(cached, Arc::new(RootKey::generate()?), Access::Unrestricted);
//!
//! let id = "acme:token".parse::<secretkit_core::SecretId>()?;
//! secrets.put(&id, &SecretValue::copied_from(b"one"), PutMode::Create)?;
//! assert_eq!(secrets.get(&id)?.value.expose_secret(), b"one"); // asks the store
//! assert_eq!(secrets.get(&id)?.value.expose_secret(), b"one"); // does not
//! secrets.update(&id, &SecretValue::copied_from(b"two"))?;
//! assert_eq!(secrets.get(&id)?.value.expose_secret(), b"two");
//! # Ok::<(), secretkit_core::Error>(())
//! ```
//!
//! # What is kept
//! The answers of [`fetch`](secretkit_core::SecretStore::fetch), by which values are delivered: also that there is no
//! such secret. All that one call asks for is one entry, so that what was one snapshot stays one. Whoever asks the same
//! while somebody is asking the store waits for that answer.
//!
//! Nothing else is kept. Reads that decide go to the store:
//! [`fetch_latest`](secretkit_core::SecretStore::fetch_latest), lists, histories, consumers, keyrings. So a write, a
//! deletion, a verification or a rotation never acts on what was kept. An org's keys are kept by
//! [`Secrets`](secretkit_core::Secrets) itself, opened.
//!
//! # How long
//! - What is committed through the cache is seen by every call that begins after the commit has returned. Where its outcome
//!   is unknown, it is seen after [`outcome`](secretkit_core::SecretStore::outcome) has said that it took effect.
//! - What others commit is seen once a notice of it is heard, see [`CachedStore::listener`]. A store that can tell of
//!   commits is connected to it.
//! - Whatever is heard or not: no answer is given that is older than [`CacheOptions::with_max_age`] says. That is how
//!   long a revoked secret may still be given where notices are lost and nobody knows it.
//! - After a loss, when notices are heard again, nothing of before is given before the store was asked once more.
//!
//! A value that a task was given already stays with the task.
//!
//! # Forks
//! A child that was forked begins with nothing, and nothing is heard there before its first call of the store.
//!
//! # While the store is away
//! Reads fail, as without a cache, once an answer is too old. [`CacheOptions::with_stale_while_away`] gives it for
//! longer, to those who would rather work with what was true a while ago. It is told by [`CachedStore::staleness`], by an
//! event of `tracing` at `WARN` when it begins, and by the counter. What is known to have changed is never given.
//!
//! # What it tells
//! | name | what | labels |
//! |---|---|---|
//! | `secretkit_cache_answers_total` | counter of answers given | `outcome`: `hit`, `miss`, `joined`, `alone`, `stale` |
//! | `secretkit_cache_notices_total` | counter of notices heard | `notice`: `secret`, `name`, `org`, `lost`, `regained` |

#![forbid(unsafe_code)]

mod away;
mod board;
mod entry;
mod options;
mod room;
mod store;

pub use away::Staleness;
pub use options::CacheOptions;
pub use store::CachedStore;
