//! A root key that is computed from a passphrase. `docs/format.md` §5.1 specifies the bytes.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::KeyId;
use super::place;
use super::primitives::{self, Key, PASSPHRASE_SALT_BYTES};
use super::provider::{Binding, KekId, KeyProvider, Wrapped, WrappingKey};
use super::sealed::SealedValue;
use crate::error::{Error, Fault, Result};
use crate::part::Part;
use crate::value::SecretValue;

#[cfg(test)]
mod tests;

/// A passphrase that people remember, in place of a root key: Argon2id makes the key of it.
///
/// Each derivation takes about half a second and 128 MiB on purpose: that is what a guess costs whoever holds a copy of
/// the store. So the passphrase itself has to be long: six random words. What was derived stays in memory that is wiped
/// and serves again, so that a process pays once for each salt: once for a store, where one passphrase made its keyrings.
///
/// ```
/// use secretkit_core::SecretValue;
/// use secretkit_core::seal::PassphraseKey;
///
/// let passphrase = SecretValue::copied_from(b"correct horse battery staple");
/// let provider = PassphraseKey::new(passphrase)?;
/// assert_eq!(format!("{provider:?}"), "PassphraseKey([REDACTED])");
/// # Ok::<(), secretkit_core::Error>(())
/// ```
pub struct PassphraseKey {
    passphrase: SecretValue,
    cost: PassphraseCost,
    /// What was derived, the newest use first.
    derived: Mutex<Vec<Arc<Derived>>>,
}

/// What one derivation costs in memory and time.
///
/// It is stored beside what it protects, so that it can be raised later: [`Keys::rewrap`](crate::Keys::rewrap) brings
/// all keyrings to the cost of today.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PassphraseCost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// A key with what it was derived with.
struct Derived {
    salt: Salt,
    cost: PassphraseCost,
    key: Key,
    /// Whether this passphrase is known to be the one that belongs to the salt: only then may new keyrings stand under it.
    proven: AtomicBool,
}

type Salt = [u8; PASSPHRASE_SALT_BYTES];

const MAGIC: [u8; 4] = *b"SKP1";
const FORMAT_VERSION: u8 = 1;
/// Argon2id, version 0x13, 32 bytes.
const FUNCTION: u8 = 1;
const RESERVED: [u8; 2] = [0; 2];
const COST_AT: usize = 8;
const RECORD_AT: usize = 20;
const BYTES: usize = RECORD_AT + SealedValue::OVERHEAD + WrappingKey::BYTES;
const KEK_PREFIX: &str = "passphrase:";

/// More than any store of one process has in use; a store that was altered must not fill the memory.
const MOST_DERIVED: usize = 64;

impl PassphraseKey {
    /// The longest passphrase in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// From the passphrase, byte by byte as it was typed.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it is empty or longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(passphrase: SecretValue) -> Result<Self> {
        let fault = match passphrase.len() {
            0 => Fault::Empty,
            length if length > Self::MAX_BYTES => Fault::TooLong { length, limit: Self::MAX_BYTES },
            _ => return Ok(Self { passphrase, cost: PassphraseCost::default(), derived: Mutex::default() }),
        };
        Err(Error::InvalidMetadata { field: "passphrase", fault })
    }

    /// From a file that only its owner can read, see [`RootKey::from_file`](super::RootKey::from_file). One line end at
    /// its end is not part of the passphrase.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read, [`Error::ExposedRootKey`] where it is not safe, and those of
    /// [`new`](Self::new).
    pub fn from_file(path: &Path) -> Result<Self> {
        // The longest one, its end in two bytes, and one more to see that there is no more.
        let mut text = Zeroizing::new([0; Self::MAX_BYTES + 3]);
        let length = place::read(path, &mut *text)?;
        Self::from_text(&text[..length])
    }

    /// From a variable of this process's environment, where others may see it, see
    /// [`RootKey::from_variable`](super::RootKey::from_variable).
    ///
    /// # Errors
    /// [`Error::NoRootKey`] where it is not set, and those of [`new`](Self::new).
    pub fn from_variable(name: &str) -> Result<Self> {
        Self::from_text(&place::variable(name)?)
    }

    /// New keyrings at another cost. What is stored opens at the cost that is stored with it.
    #[must_use]
    pub fn with_cost(mut self, cost: PassphraseCost) -> Self {
        self.cost = cost;
        self
    }

    /// Whether a passphrase wrapped this, whichever it was.
    #[must_use]
    pub fn made(wrapped: &Wrapped) -> bool {
        wrapped.kek.as_str().starts_with(KEK_PREFIX)
    }

    fn from_text(text: &[u8]) -> Result<Self> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").filter(|_| line.len() < text.len()).unwrap_or(line);
        Self::new(SecretValue::copied_from(line))
    }

    /// The key for new keyrings: one that opened a keyring before, at the cost of today, or else a new one.
    fn for_wrapping(&self) -> Result<Arc<Derived>> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) =
            derived.iter().find(|known| known.proven.load(Ordering::Relaxed) && known.cost == self.cost)
        {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.derive(primitives::random()?, self.cost)?);
        made.proven.store(true, Ordering::Relaxed);
        keep(&mut derived, Arc::clone(&made));
        Ok(made)
    }

    /// The key of this salt and cost, computed once.
    fn for_opening(&self, salt: Salt, cost: PassphraseCost) -> Result<Arc<Derived>> {
        // Held while a key is derived: two that open one keyring at once pay once.
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = derived.iter().find(|known| known.salt == salt && known.cost == cost) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.derive(salt, cost)?);
        keep(&mut derived, Arc::clone(&made));
        Ok(made)
    }

    /// It opened a keyring: new ones may stand under it, and this one sooner than others.
    fn prove(&self, opened: &Arc<Derived>) {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        opened.proven.store(true, Ordering::Relaxed);
        if let Some(at) = derived.iter().position(|known| Arc::ptr_eq(known, opened)) {
            derived[..=at].rotate_right(1);
        }
    }

    fn derive(&self, salt: Salt, cost: PassphraseCost) -> Result<Derived> {
        let PassphraseCost { memory, passes, lanes } = cost;
        let key =
            primitives::stretch(self.passphrase.expose_secret(), &salt, memory, passes, lanes).ok_or_else(|| {
                let why =
                    format!("cannot be used: this process cannot have the {} MiB that it takes", memory.div_ceil(1024));
                Error::RootKeyUnavailable { place: "the passphrase".to_owned(), why }
            })?;
        Ok(Derived { salt, cost, key, proven: AtomicBool::new(false) })
    }
}

fn keep(derived: &mut Vec<Arc<Derived>>, newest: Arc<Derived>) {
    derived.insert(0, newest);
    derived.truncate(MOST_DERIVED);
}

impl KeyProvider for PassphraseKey {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        let derived = self.for_wrapping()?;
        let id = KeyId::from_bytes(derived.salt);
        let value = SecretValue::copied_from(key.expose_secret());
        let record = SealedValue::seal(&derived.key, id, &bound_to.context(), &value)?;
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[FORMAT_VERSION, FUNCTION]);
        bytes.extend_from_slice(&RESERVED);
        for number in [derived.cost.memory, derived.cost.passes, derived.cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(record.as_bytes());
        Ok(Wrapped { kek: kek(id)?, bytes: bytes.into() })
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        let org = bound_to.org;
        if !Self::made(wrapped) {
            let (expected, given) = (wrapped.kek.to_string(), "a passphrase".to_owned());
            return Err(Error::WrongRootKey { org: org.clone(), expected, given });
        }
        let (cost, record) = parse(&wrapped.bytes, org)?;
        let id = record.key_id();
        if kek(id)? != wrapped.kek {
            return Err(corrupt(org));
        }
        let derived = self.for_opening(*id.as_bytes(), cost)?;
        // The commitment is checked first, and the length is fixed: a keyring that opens under many passphrases, by which
        // they could be searched, cannot be made.
        let value = record
            .open(&derived.key, &bound_to.context())
            .ok()
            .filter(|value| value.len() == WrappingKey::BYTES)
            .ok_or_else(|| Error::WrongPassphrase { org: org.clone() })?;
        self.prove(&derived);
        WrappingKey::try_init_with(|bytes| {
            bytes.copy_from_slice(value.expose_secret());
            Ok(())
        })
    }
}

/// What a store kept, as far as it can be judged without the passphrase. Nothing is computed with its numbers before.
fn parse(bytes: &[u8], org: &Part) -> Result<(PassphraseCost, SealedValue)> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Err(corrupt(org)) };
    if let Some(&found) = rest.first().filter(|&&version| version > FORMAT_VERSION) {
        let what = format!("the keyring of org {org}");
        return Err(Error::NewerFormat { what, found: found.into(), supported: FORMAT_VERSION.into() });
    }
    if bytes.len() != BYTES || bytes[4..COST_AT] != [FORMAT_VERSION, FUNCTION, RESERVED[0], RESERVED[1]] {
        return Err(corrupt(org));
    }
    let number = |at: usize| {
        let mut number = [0; 4];
        number.copy_from_slice(&bytes[COST_AT + 4 * at..COST_AT + 4 * at + 4]);
        u32::from_be_bytes(number)
    };
    let cost = PassphraseCost { memory: number(0), passes: number(1), lanes: number(2) };
    if let Some(why) = cost.refusal() {
        return Err(Error::Unsupported(format!("the keyring of org {org} asks for a passphrase at a cost that {why}")));
    }
    let record = SealedValue::from_bytes(&bytes[RECORD_AT..]).map_err(|_| corrupt(org))?;
    Ok((cost, record))
}

/// Public, and no more than the store shows anyway: the salt, which helps nobody to guess without the rest of the row.
fn kek(id: KeyId) -> Result<KekId> {
    KekId::parse(&format!("{KEK_PREFIX}{id}"))
}

fn corrupt(org: &Part) -> Error {
    Error::corrupt(&format!("the keyring of org {org}"))
}

impl PassphraseCost {
    /// The most memory in KiB: 1 GiB.
    pub const MAX_MEMORY: u32 = 1 << 20;
    /// The most lanes.
    pub const MAX_LANES: u32 = 16;
    /// The most memory in KiB times passes, about five times the default.
    pub const MAX_WORK: u32 = 2 << 20;

    /// `memory` in KiB, gone over `passes` times in `lanes` lanes, which are computed one after the other.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] for less than Argon2 takes (one pass, one lane, 8 KiB for each lane) and for more than
    /// the limits above: what is stored must open on other machines too.
    pub fn new(memory: u32, passes: u32, lanes: u32) -> Result<Self> {
        let cost = Self { memory, passes, lanes };
        match cost.refusal() {
            Some(why) => Err(Error::InvalidMetadata { field: "passphrase cost", fault: Fault::Shape(why) }),
            None => Ok(cost),
        }
    }

    const fn refusal(self) -> Option<&'static str> {
        let Self { memory, passes, lanes } = self;
        if lanes == 0 || passes == 0 || lanes > Self::MAX_LANES || memory < 8 * lanes {
            Some("Argon2 does not have, or has more than 16 lanes; it was altered, or needs a newer secretkit")
        } else if memory > Self::MAX_MEMORY || memory as u64 * passes as u64 > Self::MAX_WORK as u64 {
            Some("is over the limit of 1 GiB and 2 GiB times passes; it was altered, or needs a newer secretkit")
        } else {
            None
        }
    }
}

/// 128 MiB, 3 passes, 1 lane: twice the memory of RFC 9106's second recommendation, about half a second. It is fixed and
/// not measured at run time: what a guess costs must not depend on how busy a machine was one day.
impl Default for PassphraseCost {
    fn default() -> Self {
        Self { memory: 128 << 10, passes: 3, lanes: 1 }
    }
}

impl fmt::Debug for PassphraseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassphraseKey([REDACTED])")
    }
}
