//! Where the root key lives, behind one trait.

use std::fmt;

use super::canonical::Canonical;
use super::context::{Context, Purpose, StoreId};
use super::primitives::{KEY_BYTES, Key};
use crate::error::{Error, Fault, Result};
use crate::part::Part;

/// Wraps and unwraps an org's wrapping key with a root key that never leaves the provider.
///
/// One of the three things a third party implements: a cloud's key service, a hardware token. [`RootKey`](super::RootKey)
/// is the one that ships. A provider may choose another root key for each org; orgs are isolated from each other
/// exactly where their root keys differ.
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// Encrypts `key` so that it opens only under the same root key and for the same binding.
    ///
    /// # Errors
    /// [`Error::NoRootKey`] where it has none for this org, [`Error::RootKeyUnavailable`] where what keeps it does not
    /// answer, and whatever else the provider meets.
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped>;

    /// The key that [`wrap`](Self::wrap) was given.
    ///
    /// # Errors
    /// [`Error::WrongRootKey`] where another root key wrapped it: only then is the next of several asked, see
    /// [`RootKeys`](super::RootKeys). [`Error::Corrupt`] where it does not open, and those of [`wrap`](Self::wrap).
    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey>;
}

/// What a wrapped key is bound to. A provider passes [`to_bytes`](Self::to_bytes) as associated data.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Binding<'a> {
    /// The store.
    pub store: &'a StoreId,
    /// The org.
    pub org: &'a Part,
    /// The keyring's version.
    pub version: u64,
}

impl Binding<'_> {
    /// The canonical form: different bindings have different bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.context().to_bytes()
    }

    pub(super) const fn context(&self) -> Context<'_> {
        Context::keyring(self.store, Purpose::WrappedKey, self.org, self.version)
    }
}

/// A wrapped wrapping key, as the keyring row keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a keyring row has these two columns for it")]
pub struct Wrapped {
    /// The root key that wrapped it.
    pub kek: KekId,
    /// The provider's own bytes.
    pub bytes: Box<[u8]>,
}

/// The public name of a root key: 1 to 256 printable ASCII characters without blanks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KekId(Box<str>);

impl KekId {
    /// The root key of this name.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Some(Fault::Character { at }),
            None if text.is_empty() => Some(Fault::Empty),
            None if text.len() > 256 => Some(Fault::TooLong { length: text.len(), limit: 256 }),
            None => None,
        };
        match fault {
            Some(fault) => Err(Error::InvalidMetadata { field: "root key id", fault }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The random key that seals an org's keyset; 32 bytes, wiped when dropped.
pub struct WrappingKey(pub(super) Key);

impl WrappingKey {
    /// Length in bytes; a provider that unwraps to any other length must refuse.
    pub const BYTES: usize = KEY_BYTES;

    /// A key whose bytes `fill` writes in place.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn try_init_with<E>(fill: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        Key::try_init_with(fill).map(Self)
    }

    /// The bytes, for the provider that wraps them.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }

    /// The id that the keyset's record carries. Derived, so that the row needs no column for it.
    pub(super) fn id(&self) -> super::KeyId {
        super::KeyId::from_bytes(derived_id(&self.0, b"secretkit/v1 wrapping key id\0"))
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey([REDACTED])")
    }
}

/// 16 bytes that name a key to whoever holds it and say nothing to anybody else.
pub(super) fn derived_id(key: &Key, label: &'static [u8]) -> [u8; 16] {
    let mac = super::primitives::mac(key, &Canonical::new(label).finish());
    let mut id = [0; 16];
    id.copy_from_slice(&mac[..16]);
    id
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::part::PartKind;

    #[test]
    fn a_binding_has_bytes_of_its_own_for_each_store_org_and_version() {
        let org = |name: &str| Part::parse(PartKind::Org, name).unwrap();
        let (stores, orgs) = ([[7; 16], [8; 16]].map(StoreId::from_bytes), [org("acme"), org("rival")]);
        let mut seen = BTreeSet::new();
        for store in &stores {
            for org in &orgs {
                for version in [1, 2] {
                    let binding = Binding { store, org, version };
                    assert_eq!(binding.to_bytes(), binding.to_bytes());
                    seen.insert(binding.to_bytes());
                }
            }
        }
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn the_name_of_a_root_key_is_1_to_256_characters_that_print() {
        for text in ["k", "arn:aws:kms:eu:1:key/2", "!~", &"x".repeat(256)] {
            let kek = KekId::parse(text).unwrap();
            assert_eq!((kek.as_str(), kek.to_string().as_str()), (text, text));
        }
        let fault = |text: &str| match KekId::parse(text) {
            Err(Error::InvalidMetadata { fault, .. }) => fault.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(""), Fault::Empty.to_string());
        assert_eq!(fault(&"x".repeat(257)), Fault::TooLong { length: 257, limit: 256 }.to_string());
        for (text, at) in [(" ", 0), ("a b", 1), ("ab\n", 2), ("a\u{7f}", 1), ("é", 0)] {
            assert_eq!(fault(text), Fault::Character { at }.to_string(), "{text:?}");
        }
    }

    #[test]
    fn a_wrapping_key_prints_that_it_is_one_and_nothing_of_it() {
        let key = WrappingKey(Key::copied_from(&[5; 32]));
        assert_eq!(format!("{key:?}"), "WrappingKey([REDACTED])");
    }
}
