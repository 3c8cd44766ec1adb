//! Sealing and opening against the bare calls of the crates that they need.

use aes_gcm_siv::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use hkdf::Hkdf;
use secretkit::{MemoryStore, Revision, RootKey, SecretId, SecretValue, StableId};
use secretkit_core::internals::Keys;
use sha2::{Digest, Sha256};

use crate::{Outcome, measure};

/// As long as the context and the associated data of the secret below.
const CONTEXT: [u8; 170] = [1; 170];
const ASSOCIATED: [u8; 270] = [2; 270];

pub(crate) fn rows() -> Outcome {
    let id: SecretId = "acme/etl/production:db/password".parse()?;
    let secret = StableId::from_bytes([7; 16]);
    let keys = Keys::of(&MemoryStore::new(), id.org(), &RootKey::generate()?)?;
    for (length, name) in [(32, "32 B"), (1024, "1 KiB")] {
        let value = SecretValue::init_with(length, |bytes| bytes.fill(3));
        let sealed = keys.seal(&id, &secret, Revision::FIRST, &value)?;
        let bare = bare_seal(&vec![3; length])?;
        measure::compare(
            || bare_seal(value.expose_secret()),
            || Ok(keys.seal(&id, &secret, Revision::FIRST, &value)?),
        )?
        .print(&format!("seal {name}"), "the bare crate calls it needs", 1.3);
        measure::compare(|| bare_open(&bare), || Ok(keys.open(&id, &secret, Revision::FIRST, &sealed)?))?.print(
            &format!("open {name}"),
            "the bare crate calls it needs",
            1.3,
        );
    }
    Ok(())
}

struct Bare {
    salt: [u8; 32],
    nonce: [u8; 12],
    text: Vec<u8>,
    tag: Tag,
}

/// One hash, one extract, two expands, as every record needs them.
fn derive(salt: &[u8; 32], nonce: &[u8; 12]) -> Outcome<([u8; 32], [u8; 32])> {
    let context = Sha256::digest(CONTEXT);
    let kdf = Hkdf::<Sha256>::new(Some(salt), &[9; 32]);
    let (mut encryption, mut commitment) = ([0; 32], [0; 32]);
    for (label, output) in [(&[4; 17], &mut encryption), (&[5; 17], &mut commitment)] {
        kdf.expand_multi_info(&[label, &[6; 24], nonce, &context], output).map_err(|_| "expand")?;
    }
    Ok((encryption, commitment))
}

fn bare_seal(value: &[u8]) -> Outcome<Bare> {
    let (mut salt, mut nonce) = ([0; 32], [0; 12]);
    getrandom::fill(&mut salt).map_err(|_| "random")?;
    getrandom::fill(&mut nonce).map_err(|_| "random")?;
    let (encryption, _) = derive(&salt, &nonce)?;
    let mut text = value.to_vec();
    let tag = Aes256GcmSiv::new(&encryption.into())
        .encrypt_inout_detached(&Nonce::from(nonce), &ASSOCIATED, InOutBuf::from(&mut text[..]))
        .map_err(|_| "encrypt")?;
    Ok(Bare { salt, nonce, text, tag })
}

fn bare_open(sealed: &Bare) -> Outcome<Vec<u8>> {
    let (encryption, _) = derive(&sealed.salt, &sealed.nonce)?;
    let mut text = sealed.text.clone();
    Aes256GcmSiv::new(&encryption.into())
        .decrypt_inout_detached(&Nonce::from(sealed.nonce), &ASSOCIATED, InOutBuf::from(&mut text[..]), &sealed.tag)
        .map_err(|_| "decrypt")?;
    Ok(text)
}
