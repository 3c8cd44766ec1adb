//! The fingerprint that a listing shows instead of the value.

use base64ct::{Base64, Encoding};

use crate::error::Result;
use crate::seal::{KeyId, Mac};

/// Keyed fingerprint of a value: HMAC-SHA-256 under a key of the secret's own address. Prints as 44 characters of
/// standard base64.
///
/// The same value set again keeps its digest; equal values at two addresses have different ones; without the org's
/// digest key nobody can guess a value from it. It has no `PartialEq`: whoever wants to know whether a value matches
/// asks [`Secrets::verify_value`](crate::Secrets::verify_value), which compares in constant time.
#[derive(Clone, Copy)]
pub struct Digest(pub(crate) Mac);

impl Digest {
    /// From the bytes a store kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) where the length or the algorithm is not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Mac::from_bytes(bytes).map(Self)
    }

    /// The key that made it.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.0.key_id()
    }

    /// The bytes that a store keeps: algorithm, key id and fingerprint.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Mac::BYTES] {
        self.0.to_bytes()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&Base64::encode_string(&self.0.tag))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_returns_from_its_bytes_and_prints_its_fingerprint_only() {
        let mut bytes = [7; Mac::BYTES];
        bytes[0] = 1;
        bytes[17..].fill(0xff);
        let digest = Digest::from_bytes(&bytes).unwrap();
        assert_eq!((digest.to_bytes(), digest.key_id()), (bytes, KeyId::from_bytes([7; 16])));
        let text = "//////////////////////////////////////////8=";
        assert_eq!((digest.to_string(), format!("{digest:?}")), (text.to_owned(), format!("Digest({text})")));
    }
}
