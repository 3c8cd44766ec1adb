//! The part of secretkit that every store, binding and command shares: its words, its sealing, its scope rules, the
//! storage trait and the façade that joins them.
//!
//! You are probably looking for the `secretkit` crate, which adds the SQLite store and opens both a store and a root
//! key by URL. This crate is for writing a store of your own, and for tests that want no file at all.
//!
//! ```
//! use std::sync::Arc;
//! use secretkit_core::{Access, MemoryStore, PutMode, RootKey, Scope, SecretId, SecretRequest, SecretValue, Secrets};
//!
//! # fn main() -> secretkit_core::Result<()> {
//! let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
//! let id: SecretId = "acme/etl:db/password".parse()?;
//! secrets.put(&id, &SecretValue::copied_from(b"hunter2"), PutMode::Create)?;
//!
//! let task: Scope = "acme/etl/production".parse()?;
//! let found = secrets.resolve(&task, &SecretRequest::new("db/password".parse()?))?;
//! assert_eq!(found.value.expose_secret(), b"hunter2");
//! # Ok(())
//! # }
//! ```
//!
//! The modules below stand in the order in which a value travels through them.

#![forbid(unsafe_code)]

mod error;
mod value;

mod encoding;
mod id;
mod part;
mod scope;

mod expiry;
mod metadata;
mod people;
mod time;

mod anchor;
mod digest;
mod edit;
mod event;
mod filter;
mod head;
mod record;
mod revision;
pub mod seal;
mod usage;

mod check;
mod columns;
mod memory;
mod notice;
pub mod store;

pub mod deliver;
mod request;
mod secrets;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

#[doc(hidden)]
#[cfg(feature = "internals")]
pub mod internals;

// The public interface is:
pub use anchor::{Advance, Anchored, RollbackAnchor};
pub use digest::Digest;
pub use edit::{MetadataEdit, Setting};
pub use encoding::Encoding;
pub use error::{Error, ErrorKind, Fault, Result};
pub use event::{Action, Event, Subject, Token};
pub use expiry::{Expiry, Span};
pub use filter::{Activity, Filter, Search};
pub use id::{SecretId, SecretName, StableId};
pub use memory::MemoryStore;
pub use metadata::{Description, Metadata, Tags};
pub use part::{Part, PartKind};
pub use people::{Access, Actor};
pub use record::{Generation, Revision, SecretInfo, SecretRecord};
pub use request::{Mount, SecretRequest, VariableName};
pub use revision::RevisionInfo;
pub use scope::Scope;
pub use seal::{KeyProvider, RootKey, SealedValue};
pub use secrets::{
    Copied, CopyFinding, CopyProgress, Copying, Effective, EffectivePages, Events, Finding, KeyStatus, Keys, Pages,
    Progress, PutItem, PutMode, Reencryption, Resolved, SecretRef, Secrets, Selection, Verification, Verified,
    VerifyProgress,
};
pub use store::SecretStore;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use usage::{Consumer, ConsumerInfo};
pub use value::SecretValue;
