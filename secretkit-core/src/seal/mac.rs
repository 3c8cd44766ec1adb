//! The small fixed-size things that stand beside a record: key ids, commitments and authenticators.

use std::fmt;

use super::primitives;
use crate::error::{Error, Result};

/// 16 random bytes that name a key. Public, never reused; prints as 32 hex digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; 16]);

impl KeyId {
    pub(crate) fn generate() -> Result<Self> {
        primitives::random().map(Self)
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A record's commitment to its key and context: 32 bytes that say nothing of the value.
#[derive(Clone, Copy, Debug)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// An authenticator as a store keeps it: `u8 algorithm ‖ key id ‖ 32 bytes`.
///
/// It has no `PartialEq`: authenticators are compared in constant time, by the code that holds the key.
#[derive(Clone, Copy, Debug)]
pub struct Mac {
    pub(crate) key: KeyId,
    pub(crate) tag: [u8; 32],
}

/// HMAC-SHA-256, the only algorithm so far.
const ALGORITHM: u8 = 1;

impl Mac {
    /// Length of the stored form in bytes.
    pub const BYTES: usize = 49;

    /// From the bytes a store kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the length or the algorithm is not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::corrupt(&"an authenticator");
        let bytes: &[u8; Self::BYTES] = bytes.try_into().map_err(|_| corrupt())?;
        if bytes[0] != ALGORITHM {
            return Err(corrupt());
        }
        let (mut key, mut tag) = ([0; 16], [0; 32]);
        key.copy_from_slice(&bytes[1..17]);
        tag.copy_from_slice(&bytes[17..]);
        Ok(Self { key: KeyId(key), tag })
    }

    /// The bytes that a store keeps.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [ALGORITHM; Self::BYTES];
        bytes[1..17].copy_from_slice(&self.key.0);
        bytes[17..].copy_from_slice(&self.tag);
        bytes
    }

    /// The key that made it.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_returns_from_its_bytes_and_a_key_id_prints_as_its_digits() {
        let bytes: [u8; Mac::BYTES] = std::array::from_fn(|at| at as u8 + 1);
        let mac = Mac::from_bytes(&bytes).unwrap();
        assert_eq!(mac.to_bytes(), bytes);
        assert_eq!(mac.key_id(), KeyId::from_bytes(bytes[1..17].try_into().unwrap()));
        assert_eq!(mac.key_id().to_string(), "02030405060708090a0b0c0d0e0f1011");
        assert_eq!(format!("{:?}", mac.key_id()), "KeyId(02030405060708090a0b0c0d0e0f1011)");
        assert!(Mac::from_bytes(&bytes[1..]).is_err());
        assert!(Mac::from_bytes(&[0; Mac::BYTES]).is_err(), "no algorithm");
    }
}
