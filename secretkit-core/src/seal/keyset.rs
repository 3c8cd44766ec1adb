//! An org's keys with their states, and the bytes they are sealed as. `docs/format.md` §5 specifies them.

use std::fmt;

use serde::Serialize;

use super::KeyId;
use super::primitives::{KEY_BYTES, Key};
use super::sealed::FORMAT_VERSION;
use crate::error::Result;
use crate::time::Timestamp;
use crate::value::SecretValue;

/// What a key is for. Keys of one use never serve another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "a use more is a format more")]
pub enum KeyUse {
    /// Seals values.
    Data = 1,
    /// Authenticates heads and every other row that holds no value.
    Meta = 2,
    /// Makes digests.
    Digest = 3,
    /// Chains events.
    Audit = 4,
}

impl KeyUse {
    /// Every use.
    pub const ALL: [Self; 4] = [Self::Data, Self::Meta, Self::Digest, Self::Audit];

    /// In one word, lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Meta => "meta",
            Self::Digest => "digest",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a key stands in its life. It moves forward only.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "a state more is a format more")]
pub enum KeyState {
    /// Known to readers, not yet used by writers.
    Pending = 1,
    /// What writers use; one for each use.
    Primary = 2,
    /// Opens what it sealed, and seals nothing more.
    DecryptOnly = 3,
    /// Nothing is left under it.
    Retired = 4,
    /// Its bytes are gone; the entry stays, so that its id is never used again.
    Destroyed = 5,
}

impl KeyState {
    /// In one word, lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Primary => "primary",
            Self::DecryptOnly => "decrypt-only",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

pub(super) struct KeyEntry {
    pub(super) id: KeyId,
    pub(super) used_for: KeyUse,
    pub(super) state: KeyState,
    pub(super) created_at: Timestamp,
    /// `None` before, and where nobody noted it.
    pub(super) retired_at: Option<Timestamp>,
    /// `None` once destroyed.
    pub(super) key: Option<Key>,
}

/// An org's keys, and the oldest record format that its operator still accepts. Whoever knows none so new must leave the org
/// alone: a record of theirs would be of a format that the operator has done away with.
pub(super) struct Keyset {
    pub(super) min_format: u8,
    pub(super) keys: Vec<KeyEntry>,
}

/// Of a keyset in which no key has a time of retirement.
const LAYOUT: u8 = 1;
/// Of one in which any has.
const LAYOUT_WITH_RETIREMENTS: u8 = 2;
const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 59;
const RETIREMENT_BYTES: usize = 8;

impl Keyset {
    /// One primary key for each use.
    pub(super) fn generate(now: Timestamp) -> Result<Self> {
        let mut keys = Vec::with_capacity(KeyUse::ALL.len());
        for used_for in KeyUse::ALL {
            let (id, key) = (KeyId::generate()?, Some(Key::generate()?));
            keys.push(KeyEntry { id, used_for, state: KeyState::Primary, created_at: now, retired_at: None, key });
        }
        Ok(Self { min_format: FORMAT_VERSION, keys })
    }

    /// `u8 layout ‖ u8 min format ‖ u16 count ‖ entries`, each entry
    /// `u8 use ‖ u8 state ‖ id ‖ i64 created_at ‖ u8 present ‖ 32 bytes`, and in the second layout `i64 retired_at`, 0 where
    /// there is none.
    pub(super) fn to_bytes(&self) -> SecretValue {
        let Self { min_format, keys } = self;
        let is_noted = |key: &KeyEntry| key.retired_at.is_some_and(|at| at.as_micros() != 0);
        let (layout, entry_bytes) = match keys.iter().any(is_noted) {
            false => (LAYOUT, ENTRY_BYTES),
            true => (LAYOUT_WITH_RETIREMENTS, ENTRY_BYTES + RETIREMENT_BYTES),
        };
        SecretValue::init_with(HEADER_BYTES + entry_bytes * keys.len(), |bytes| {
            let (header, entries) = bytes.split_at_mut(HEADER_BYTES);
            let count = u16::try_from(keys.len()).unwrap_or(u16::MAX).to_be_bytes();
            header.copy_from_slice(&[layout, *min_format, count[0], count[1]]);
            for (entry, bytes) in keys.iter().zip(entries.chunks_exact_mut(entry_bytes)) {
                let KeyEntry { id, used_for, state, created_at, retired_at, key } = entry;
                let (bytes, retirement) = bytes.split_at_mut(ENTRY_BYTES);
                if !retirement.is_empty() {
                    let retired_at = retired_at.map_or(0, Timestamp::as_micros);
                    retirement.copy_from_slice(&retired_at.to_be_bytes());
                }
                bytes[0] = *used_for as u8;
                bytes[1] = *state as u8;
                bytes[2..18].copy_from_slice(id.as_bytes());
                bytes[18..26].copy_from_slice(&created_at.as_micros().to_be_bytes());
                bytes[26] = u8::from(key.is_some());
                if let Some(key) = key {
                    bytes[27..].copy_from_slice(key.expose_secret());
                }
            }
        })
    }

    /// What a later version of this library has written, from bytes that are authentic: the newest that it takes to read
    /// them, and the newest that there is here, of the layout or else of the record format.
    pub(super) fn newer_format(value: &SecretValue) -> Option<(u8, u8)> {
        let [layout, min_format, ..] = *value.expose_secret() else { return None };
        let both = [(layout, LAYOUT_WITH_RETIREMENTS), (min_format, FORMAT_VERSION)];
        both.into_iter().find(|(found, supported)| found > supported)
    }

    /// `None` for anything that [`to_bytes`](Self::to_bytes) cannot have written.
    pub(super) fn from_bytes(value: &SecretValue) -> Option<Self> {
        let (header, entries) = value.expose_secret().split_first_chunk::<HEADER_BYTES>()?;
        let [layout, min_format, count @ ..] = *header;
        let entry_bytes = match layout {
            LAYOUT => ENTRY_BYTES,
            LAYOUT_WITH_RETIREMENTS => ENTRY_BYTES + RETIREMENT_BYTES,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes(count)) * entry_bytes;
        if min_format > FORMAT_VERSION || entries.len() != length {
            return None;
        }
        let keys = entries.chunks_exact(entry_bytes).map(entry_from_bytes).collect::<Option<Vec<_>>>()?;
        // Of two ways to write one keyset, one is nobody's.
        let is_noted = keys.iter().any(|key| key.retired_at.is_some());
        (is_noted == (layout == LAYOUT_WITH_RETIREMENTS)).then_some(Self { min_format, keys })
    }
}

fn entry_from_bytes(bytes: &[u8]) -> Option<KeyEntry> {
    let (bytes, retirement) = bytes.split_at_checked(ENTRY_BYTES)?;
    let retired_at = match retirement {
        [] => None,
        bytes => Some(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|at| *at != 0).map(Timestamp::from_micros),
    };
    let used_for = KeyUse::ALL.into_iter().find(|used_for| *used_for as u8 == bytes[0])?;
    let state = match bytes[1] {
        1 => KeyState::Pending,
        2 => KeyState::Primary,
        3 => KeyState::DecryptOnly,
        4 => KeyState::Retired,
        5 => KeyState::Destroyed,
        _ => return None,
    };
    let secret: &[u8; KEY_BYTES] = bytes[27..].try_into().ok()?;
    let key = match bytes[26] {
        0 if secret == &[0; KEY_BYTES] => None,
        1 => Some(Key::copied_from(secret)),
        _ => return None,
    };
    let created_at = Timestamp::from_micros(i64::from_be_bytes(bytes[18..26].try_into().ok()?));
    let id = KeyId::from_bytes(bytes[2..18].try_into().ok()?);
    Some(KeyEntry { id, used_for, state, created_at, retired_at, key })
}

#[cfg(test)]
mod tests {
    use super::super::context::StoreId;
    use super::super::keyring::{OrgKeys, sealed_row};
    use super::super::root::RootKey;
    use super::*;
    use crate::error::Error;
    use crate::part::{Part, PartKind};

    #[test]
    fn k3_a_keyset_returns_from_its_bytes_and_from_no_others() {
        let keyset = Keyset::generate(Timestamp::from_micros(7)).unwrap();
        let bytes = keyset.to_bytes();
        let again = Keyset::from_bytes(&bytes).unwrap();
        assert_eq!(again.to_bytes().expose_secret(), bytes.expose_secret());
        for length in 0..bytes.len() {
            assert!(Keyset::from_bytes(&SecretValue::copied_from(&bytes.expose_secret()[..length])).is_none());
        }
        for (at, wrong) in [(0, 2), (0, 3), (1, 2), (4, 0), (4, 9), (5, 0), (5, 6), (4 + 26, 2), (4 + 26, 0)] {
            let mut altered = bytes.expose_secret().to_vec();
            altered[at] = wrong;
            assert!(Keyset::from_bytes(&altered.into()).is_none(), "byte {at} = {wrong}");
        }
    }

    #[test]
    fn k3_when_a_key_was_retired_returns_and_stands_in_one_layout_only() {
        let mut keyset = Keyset::generate(Timestamp::from_micros(7)).unwrap();
        (keyset.keys[1].state, keyset.keys[1].retired_at) = (KeyState::Retired, Some(Timestamp::from_micros(9)));
        let bytes = keyset.to_bytes();
        assert_eq!((bytes.expose_secret()[0], bytes.len()), (2, 4 + 4 * 67));
        let again = Keyset::from_bytes(&bytes).unwrap();
        let retired: Vec<_> = again.keys.iter().map(|key| key.retired_at.map(Timestamp::as_micros)).collect();
        assert_eq!(retired, [None, Some(9), None, None]);
        assert_eq!(again.to_bytes().expose_secret(), bytes.expose_secret());
        for length in 0..bytes.len() {
            assert!(Keyset::from_bytes(&SecretValue::copied_from(&bytes.expose_secret()[..length])).is_none());
        }
        let mut none = bytes.expose_secret().to_vec();
        none[4 + 2 * 67 - 8..4 + 2 * 67].fill(0);
        assert!(Keyset::from_bytes(&none.into()).is_none(), "it would be written in the first layout");
    }

    #[test]
    fn k4_what_a_later_version_wrote_is_named_and_not_taken_for_damage() {
        let mut keyset = Keyset::generate(Timestamp::from_micros(7)).unwrap();
        keyset.min_format = FORMAT_VERSION + 1;
        let (store, org) = (StoreId::from_bytes([7; 16]), Part::parse(PartKind::Org, "acme").unwrap());
        let provider = RootKey::generate().unwrap();
        let row = sealed_row(&store, &org, 1, &keyset, &provider).unwrap();
        match OrgKeys::open(store, &row, &provider) {
            Err(Error::NewerFormat { what, found: 2, supported: 1 }) => assert_eq!(what, "the keyring of org acme"),
            other => panic!("{:?}", other.map(drop)),
        }
        let newer = |bytes: &[u8]| Keyset::newer_format(&SecretValue::copied_from(bytes));
        assert_eq!(newer(&[LAYOUT_WITH_RETIREMENTS + 1, 1, 0, 0]), Some((3, 2)));
        assert_eq!(newer(&[LAYOUT, 0, 0, 0]), None, "whatever is older is read");
        assert_eq!(newer(&[LAYOUT_WITH_RETIREMENTS, FORMAT_VERSION]), None);
        assert_eq!(newer(&[9]), None);
    }

    #[test]
    fn a_use_and_a_state_print_as_they_are_serialized() {
        fn printed(of: &(impl fmt::Display + Serialize), word: &str) {
            assert_eq!((of.to_string(), serde_json::to_value(of).unwrap()), (word.to_owned(), word.into()));
        }
        for (used_for, word) in KeyUse::ALL.iter().zip(["data", "meta", "digest", "audit"]) {
            assert_eq!(used_for.as_str(), word);
            printed(used_for, word);
        }
        use KeyState::{DecryptOnly, Destroyed, Pending, Primary, Retired};
        let words = ["pending", "primary", "decrypt-only", "retired", "destroyed"];
        for (state, word) in [Pending, Primary, DecryptOnly, Retired, Destroyed].iter().zip(words) {
            assert_eq!(state.as_str(), word);
            printed(state, word);
        }
    }

    #[test]
    fn a_destroyed_key_keeps_its_place_without_its_bytes() {
        let mut keyset = Keyset::generate(Timestamp::from_micros(7)).unwrap();
        (keyset.keys[0].state, keyset.keys[0].key) = (KeyState::Destroyed, None);
        let again = Keyset::from_bytes(&keyset.to_bytes()).unwrap();
        assert!(again.keys[0].key.is_none());
        assert_eq!(again.keys[0].id, keyset.keys[0].id);
    }
}
