//! The plaintext of a secret, in memory that is wiped.

use secrecy::{ExposeSecret, SecretSlice};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The plaintext bytes of a secret.
///
/// Born on the heap at its final size and wiped when dropped. It has no `Display`, `Deref`, `Serialize`, `PartialEq`
/// or `Hash`, and its `Debug` prints the type. [`expose_secret`](Self::expose_secret) is the one way to the bytes, and
/// a test lists the files that may call it.
///
/// ```
/// use secretkit_core::SecretValue;
///
/// let value = SecretValue::copied_from(b"hunter2");
/// assert_eq!(format!("{value:?}"), "SecretValue([REDACTED])");
/// assert_eq!(value.expose_secret(), b"hunter2");
/// ```
pub struct SecretValue(SecretSlice<u8>);

impl SecretValue {
    /// The longest value that any store takes: 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;

    /// A value of `length` bytes that `fill` writes in place, so that no copy is left anywhere else.
    #[must_use]
    pub fn init_with(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        match Self::try_init_with(length, |bytes| {
            fill(bytes);
            Ok::<(), std::convert::Infallible>(())
        }) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// The same for a `fill` that can fail; what it wrote until then is wiped.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn try_init_with<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut value: SecretSlice<u8> = vec![0; length].into_boxed_slice().into();
        fill(secrecy::ExposeSecretMut::expose_secret_mut(&mut value))?;
        Ok(Self(value))
    }

    /// A copy of bytes that the caller holds, and has to wipe itself.
    #[must_use]
    pub fn copied_from(bytes: &[u8]) -> Self {
        Self::init_with(bytes.len(), |value| value.copy_from_slice(bytes))
    }

    /// The bytes. The only way to them, named so that a reviewer can search for it.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// Whether both have the same bytes, in a time that says no more than whether they are equally long.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        crate::seal::same(self.expose_secret(), other.expose_secret())
    }

    /// Length in bytes. A store's reader can see it too: sealing adds a constant.
    #[must_use]
    pub fn len(&self) -> usize {
        self.expose_secret().len()
    }

    /// Whether the value has no bytes, which is legal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Takes over the bytes of a vector and wipes all of its memory, spare capacity included. Copies that the vector left
/// behind when it grew are out of reach: size it up front, or use [`SecretValue::init_with`].
impl From<Vec<u8>> for SecretValue {
    fn from(mut bytes: Vec<u8>) -> Self {
        let value = Self::copied_from(&bytes);
        bytes.zeroize();
        value
    }
}

/// Takes over the bytes of a string, with the caveat of the conversion from a vector.
impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl Clone for SecretValue {
    fn clone(&self) -> Self {
        Self::copied_from(self.expose_secret())
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue([REDACTED])")
    }
}

// The slice inside wipes itself.
impl ZeroizeOnDrop for SecretValue {}

#[cfg(test)]
mod tests {
    use super::SecretValue;

    #[test]
    fn values_are_the_same_where_every_byte_is() {
        let value = |bytes: &[u8]| SecretValue::copied_from(bytes);
        let texts = [&b""[..], b"\0", b"a", b"b", b"ab", b"ba", b"a\0", &[7; 100], &[7; 101]];
        for left in texts {
            for right in texts {
                assert_eq!(value(left).is_same_as(&value(right)), left == right);
            }
        }
    }
}
