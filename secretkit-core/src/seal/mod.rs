//! Sealing: how a value becomes record bytes that open only where they belong, and the keys that do it.
//!
//! ```text
//! root key (KEK)   never stored; a KeyProvider holds it
//!   └ wraps a random wrapping key for each org
//!       └ seals the org's keyset: data, meta, digest and audit keys
//!           └ data key + random salt ─HKDF→ a key for one encryption, and a commitment
//! ```
//!
//! Every cryptographic call is in `primitives.rs`; `docs/format.md` specifies the bytes.

pub(crate) mod canonical;
mod context;
#[cfg(test)]
mod damaged;
mod keyring;
mod keyset;
mod mac;
mod passphrase;
mod place;
mod primitives;
mod provider;
mod root;
mod roots;
mod rotation;
mod sealed;
#[cfg(test)]
mod tests;

pub use context::StoreId;
pub use keyring::{KeyringRow, KeyringStamp};
pub use keyset::{KeyState, KeyUse};
pub use mac::{Commitment, KeyId, Mac};
pub use passphrase::{PassphraseCost, PassphraseKey};
pub use provider::{Binding, KekId, KeyProvider, Wrapped, WrappingKey};
pub use root::RootKey;
pub use roots::RootKeys;
pub use rotation::KeyInfo;
pub use sealed::SealedValue;

pub(crate) use context::part_bytes;
pub(crate) use keyring::OrgKeys;
pub(crate) use primitives::{equal, random, same};
pub(crate) use rotation::Step;

/// A keyset's bytes, read and written again.
#[cfg(feature = "internals")]
pub(crate) fn keyset_again(bytes: &crate::SecretValue) -> Option<crate::SecretValue> {
    keyset::Keyset::from_bytes(bytes).map(|keyset| keyset.to_bytes())
}

/// What a value's record is bound to.
#[cfg(feature = "internals")]
pub(crate) fn value_context(
    store: &StoreId,
    id: &crate::SecretId,
    secret: &crate::StableId,
    revision: crate::Revision,
) -> Vec<u8> {
    context::Context::value(store, id, secret, revision).to_bytes()
}
