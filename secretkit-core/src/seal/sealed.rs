//! The encrypted record: its bytes, and sealing and opening them. `docs/format.md` §3 specifies it.

use std::sync::Arc;

use super::context::{Context, Purpose};
use super::primitives::{self, HASH_BYTES, Key, NONCE_BYTES, RecordKeys, SALT_BYTES, TAG_BYTES};
use super::{Commitment, KeyId};
use crate::error::{Error, Result};
use crate::value::SecretValue;

/// The encrypted record bytes: all that a store ever holds of a value.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 4 | magic `SKR1` |
/// | 4 | 1 | format version, 1 |
/// | 5 | 1 | suite, 1: HKDF-SHA256, AES-256-GCM-SIV, 32-byte commitment |
/// | 6 | 1 | purpose |
/// | 7 | 1 | flags, 0 |
/// | 8 | 16 | key id |
/// | 24 | 32 | salt |
/// | 56 | 12 | nonce |
/// | 68 | 32 | commitment |
/// | 100 | n + 16 | ciphertext and tag |
///
/// A `SealedValue` is at least as long as the fixed part and begins with the magic; the rest is checked when it is
/// opened. Cloning it copies no bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedValue(Arc<[u8]>);

/// At which of its checks a record was refused. Never leaves this module's callers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    Header,
    Commitment,
    Tag,
}

const MAGIC: [u8; 4] = *b"SKR1";
pub(crate) const FORMAT_VERSION: u8 = 1;
const SUITE: u8 = 1;
const FLAGS: u8 = 0;

const KEY_ID_AT: usize = 8;
const SALT_AT: usize = 24;
const NONCE_AT: usize = SALT_AT + SALT_BYTES;
const COMMITMENT_AT: usize = NONCE_AT + NONCE_BYTES;
const BODY_AT: usize = COMMITMENT_AT + HASH_BYTES;

impl SealedValue {
    /// How many bytes a record has more than its value.
    pub const OVERHEAD: usize = BODY_AT + TAG_BYTES;

    /// Where the commitment stands, in bytes from 0: a listing needs those 32 bytes of a record and no others.
    pub const COMMITMENT_AT: usize = COMMITMENT_AT;

    /// From the bytes that a store kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where they are too short or too long, or do not begin as a record does.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let long_enough = (Self::OVERHEAD..=Self::OVERHEAD + SecretValue::MAX_BYTES).contains(&bytes.len());
        if long_enough && bytes.starts_with(&MAGIC) { Ok(Self(bytes.into())) } else { Err(Error::corrupt(&"a record")) }
    }

    /// The bytes that a store keeps.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The commitment, which the head of a secret authenticates.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment::from_bytes(self.array(COMMITMENT_AT))
    }

    /// The key that opens it.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(self.array(KEY_ID_AT))
    }

    /// A fixed field. Every constructor has checked the length.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.0[at..at + N]);
        field
    }

    /// Encrypts `value` for exactly this context.
    pub(super) fn seal(key: &Key, key_id: KeyId, context: &Context<'_>, value: &SecretValue) -> Result<Self> {
        let random = primitives::random::<{ SALT_BYTES + NONCE_BYTES }>()?;
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        salt.copy_from_slice(&random[..SALT_BYTES]);
        nonce.copy_from_slice(&random[SALT_BYTES..]);
        Self::seal_with(key, key_id, context, value, &salt, &nonce)
    }

    /// The deterministic inside of [`seal`](Self::seal), which vectors and snapshot tests need.
    pub(super) fn seal_with(
        key: &Key,
        key_id: KeyId,
        context: &Context<'_>,
        value: &SecretValue,
        salt: &[u8; SALT_BYTES],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Self> {
        if value.len() > SecretValue::MAX_BYTES {
            return Err(Error::TooLarge { length: value.len(), limit: SecretValue::MAX_BYTES });
        }
        let context_bytes = context.to_bytes();
        let mut bytes = Vec::with_capacity(Self::OVERHEAD + value.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[FORMAT_VERSION, SUITE, context.purpose as u8, FLAGS]);
        bytes.extend_from_slice(key_id.as_bytes());
        let keys = primitives::derive(key, salt, &bytes, nonce, &context_bytes);
        bytes.extend_from_slice(salt);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&keys.commitment);
        let associated = [&bytes[..], &context_bytes].concat();
        // The plaintext enters the buffer only to be overwritten in place, and the buffer never grows.
        bytes.extend_from_slice(value.expose_secret());
        let tag = primitives::encrypt(&keys.encryption, nonce, &associated, &mut bytes[BODY_AT..])?;
        bytes.extend_from_slice(&tag);
        Ok(Self(bytes.into()))
    }

    /// Decrypts, if this record was sealed under this key for exactly this context.
    ///
    /// Where it was refused is for tests; callers pass on that it was, so that nobody learns which check failed.
    pub(super) fn open(&self, key: &Key, context: &Context<'_>) -> Result<SecretValue, Refusal> {
        let bytes = &self.0;
        if !self.is_for(context.purpose) {
            return Err(Refusal::Header);
        }
        let context = context.to_bytes();
        let (salt, nonce) = (self.array(SALT_AT), self.array(NONCE_AT));
        self.open_with(&primitives::derive(key, &salt, &bytes[..SALT_AT], &nonce, &context), &context)
    }

    /// The commitment first: two keys that both satisfy the tag of one ciphertext can be computed in a second.
    pub(super) fn open_with(&self, keys: &RecordKeys, context: &[u8]) -> Result<SecretValue, Refusal> {
        let bytes = &self.0;
        if !primitives::equal(&keys.commitment, &self.array(COMMITMENT_AT)) {
            return Err(Refusal::Commitment);
        }
        let associated = [&bytes[..BODY_AT], context].concat();
        let tag_at = bytes.len() - TAG_BYTES;
        SecretValue::try_init_with(tag_at - BODY_AT, |value| {
            value.copy_from_slice(&bytes[BODY_AT..tag_at]);
            let (nonce, tag) = (self.array(NONCE_AT), self.array(tag_at));
            primitives::decrypt(&keys.encryption, &nonce, &associated, value, &tag).ok_or(Refusal::Tag)
        })
    }

    /// Whether its version, suite, purpose and flags are those of a record for this purpose.
    pub(super) fn is_for(&self, purpose: Purpose) -> bool {
        self.0[4..KEY_ID_AT] == [FORMAT_VERSION, SUITE, purpose as u8, FLAGS]
    }

    /// The format version, where it is newer than this library reads.
    pub(super) fn newer_format(&self) -> Option<u8> {
        Some(self.0[4]).filter(|&version| version > FORMAT_VERSION)
    }
}

impl std::fmt::Debug for SealedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedValue({} bytes under key {})", self.0.len(), self.key_id())
    }
}
