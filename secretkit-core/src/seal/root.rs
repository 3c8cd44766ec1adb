//! The root key that a host holds itself: from a file, a variable, or made for a test.

use std::path::Path;

use base64ct::{Base64, Encoding};
use zeroize::{Zeroize, Zeroizing};

use super::KeyId;
use super::place;
use super::primitives::{KEY_BYTES, Key};
use super::provider::{Binding, KekId, KeyProvider, Wrapped, WrappingKey, derived_id};
use super::sealed::SealedValue;
use crate::error::{Error, Result};
use crate::value::SecretValue;

/// A root key in this process's memory. Its text form is one line of 44 characters of standard base64.
pub struct RootKey {
    key: Key,
    id: KeyId,
}

/// Characters of standard base64 for 32 bytes.
const TEXT_BYTES: usize = 44;

impl RootKey {
    /// A new one, for a new store or a test.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn generate() -> Result<Self> {
        Key::generate().map(Self::new)
    }

    /// From a file that only its owner can read.
    ///
    /// The file must be a regular file, no symbolic link, owned by this user or root, with no right for group or
    /// others, and hold one line of 44 characters of base64.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read, [`Error::ExposedRootKey`] where it is not safe,
    /// [`Error::MalformedRootKey`] where it holds anything else.
    pub fn from_file(path: &Path) -> Result<Self> {
        // One line, its end, and one byte more to see that there is no more.
        let mut text = Zeroizing::new([0; TEXT_BYTES + 2]);
        let length = place::read(path, &mut *text)?;
        Self::from_text(&text[..length], || path.display().to_string())
    }

    /// From a variable of this process's environment. Weaker than a file: the variable stays readable in
    /// `/proc/PID/environ` for as long as the process runs, and children inherit it.
    ///
    /// # Errors
    /// [`Error::NoRootKey`] where the variable is not set, [`Error::MalformedRootKey`] where it holds anything else.
    pub fn from_variable(name: &str) -> Result<Self> {
        Self::from_text(&place::variable(name)?, || name.to_owned())
    }

    /// From its text form, with or without a line end; for whatever keeps it that is neither of the two. `place` names
    /// that in an error.
    ///
    /// # Errors
    /// [`Error::MalformedRootKey`] where it is anything but one line of 44 characters of base64.
    pub fn from_text(text: &[u8], place: impl FnOnce() -> String) -> Result<Self> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let key = Key::try_init_with(|bytes| {
            if line.len() != TEXT_BYTES {
                return Err(());
            }
            match Base64::decode(line, bytes) {
                Ok(decoded) if decoded.len() == KEY_BYTES => Ok(()),
                _ => Err(()),
            }
        });
        key.map(Self::new).map_err(|()| Error::MalformedRootKey { place: place() })
    }

    /// The text form with its line end, for the one file that keeps it.
    #[must_use]
    pub fn to_text(&self) -> SecretValue {
        SecretValue::init_with(TEXT_BYTES + 1, |text| {
            // 32 bytes always fill 44 characters.
            if Base64::encode(self.key.expose_secret(), text).is_err() {
                text.zeroize();
            }
            text[TEXT_BYTES] = b'\n';
        })
    }

    /// The public id, by which a store says which root key it needs.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    fn new(key: Key) -> Self {
        let id = KeyId::from_bytes(derived_id(&key, b"secretkit/v1 root key id\0"));
        Self { key, id }
    }

    #[cfg(test)]
    pub(super) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self::new(Key::copied_from(bytes))
    }
}

impl KeyProvider for RootKey {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        let value = SecretValue::copied_from(key.expose_secret());
        let sealed = SealedValue::seal(&self.key, self.id, &bound_to.context(), &value)?;
        Ok(Wrapped { kek: KekId::parse(&self.id.to_string())?, bytes: sealed.as_bytes().into() })
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        let given = self.id.to_string();
        if wrapped.kek.as_str() != given {
            let expected = wrapped.kek.to_string();
            return Err(Error::WrongRootKey { org: bound_to.org.clone(), expected, given });
        }
        let corrupt = || Error::corrupt(&format!("the keyring of org {}", bound_to.org));
        let sealed = SealedValue::from_bytes(&wrapped.bytes).map_err(|_| corrupt())?;
        // A fixed length closes the partitioning oracle that wrapped keys of free length open.
        let value = sealed
            .open(&self.key, &bound_to.context())
            .ok()
            .filter(|value| sealed.key_id() == self.id && value.len() == WrappingKey::BYTES)
            .ok_or_else(corrupt)?;
        WrappingKey::try_init_with(|bytes| {
            bytes.copy_from_slice(value.expose_secret());
            Ok(())
        })
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKey({})", self.id)
    }
}
