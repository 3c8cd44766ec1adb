//! The bare crate calls that sealing and opening need, and nothing else: what a program would cost that had no types,
//! no checks and no other secrets than this one.

use aes_gcm_siv::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use hkdf::Hkdf;
use secretkit::SecretId;
use sha2::{Digest, Sha256};

use crate::Result;

/// Fixed part of a record before the salt, and the whole of it before the ciphertext; see `docs/format.md`.
const HEADER: usize = 24;
const FIXED: usize = 100;
const RANDOM: usize = 32 + 12;
const TAG: usize = 16;

/// Bytes of the lengths that secretkit works on, for the same address.
#[derive(Debug)]
pub(crate) struct Bare {
    key: [u8; 32],
    header: [u8; HEADER],
    context: Vec<u8>,
    associated: Vec<u8>,
}

impl Bare {
    pub(crate) fn of(id: &SecretId) -> Self {
        // Label, count, nine fields with six bytes before each; store id, purpose, stable id and revision.
        let parts =
            [Some(id.org()), id.scope().project(), id.scope().domain(), id.name().group(), Some(id.name().key())];
        let text: usize = parts.into_iter().flatten().map(|part| part.as_str().len()).sum();
        let length = 16 + 2 + 9 * 6 + 16 + 1 + 16 + 8 + text;
        Self { key: [7; 32], header: [7; HEADER], context: vec![7; length], associated: vec![7; FIXED + length] }
    }

    /// Random salt and nonce, the two derived keys, the encryption: into a record of full size.
    pub(crate) fn seal(&self, value: &[u8]) -> Result<Vec<u8>> {
        let mut record = Vec::with_capacity(FIXED + value.len() + TAG);
        record.extend_from_slice(&self.associated[..FIXED]);
        let random = &mut record[HEADER..HEADER + RANDOM];
        getrandom::fill(random)?;
        let (encryption, commitment) = self.derive(random)?;
        let nonce = Nonce::try_from(&random[32..])?;
        record[HEADER + RANDOM..].copy_from_slice(&commitment);
        record.extend_from_slice(value);
        let buffer = InOutBuf::from(&mut record[FIXED..]);
        let tag = Aes256GcmSiv::new(&encryption.into())
            .encrypt_inout_detached(&nonce, &self.associated, buffer)
            .map_err(|_| "the cipher refused")?;
        record.extend_from_slice(&tag);
        Ok(record)
    }

    /// The two derived keys, the comparison, the decryption: into a vector of the value's size.
    pub(crate) fn open(&self, record: &[u8]) -> Result<Vec<u8>> {
        let (fixed, rest) = record.split_at(FIXED);
        let (ciphertext, tag) = rest.split_at(rest.len() - TAG);
        let random = &fixed[HEADER..HEADER + RANDOM];
        let (encryption, commitment) = self.derive(random)?;
        if commitment != fixed[HEADER + RANDOM..] {
            return Err("another commitment".into());
        }
        let mut value = ciphertext.to_vec();
        Aes256GcmSiv::new(&encryption.into())
            .decrypt_inout_detached(
                &Nonce::try_from(&random[32..])?,
                &self.associated,
                InOutBuf::from(&mut value[..]),
                &Tag::try_from(tag)?,
            )
            .map_err(|_| "the cipher refused")?;
        Ok(value)
    }

    fn derive(&self, random: &[u8]) -> Result<([u8; 32], [u8; 32])> {
        let (salt, nonce) = random.split_at(32);
        let kdf = Hkdf::<Sha256>::new(Some(salt), &self.key);
        let context = Sha256::digest(&self.context);
        let (mut encryption, mut commitment) = ([0; 32], [0; 32]);
        kdf.expand_multi_info(&[b"secretkit/v1 enc\0", &self.header, nonce, &context], &mut encryption)
            .map_err(|_| "too long")?;
        kdf.expand_multi_info(&[b"secretkit/v1 com\0", &self.header, nonce, &context], &mut commitment)
            .map_err(|_| "too long")?;
        Ok((encryption, commitment))
    }
}
