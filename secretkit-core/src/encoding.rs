//! How typed text becomes the bytes of a value. It never means encryption.

use base64ct::{Base64, Encoding as _};

use crate::error::{Error, Result};
use crate::value::SecretValue;

/// How typed text becomes the bytes of a value.
///
/// ```
/// use secretkit_core::{Encoding, SecretValue};
///
/// let typed = SecretValue::copied_from(b"aHVudGVyMg==");
/// assert_eq!(Encoding::Base64.decode(typed)?.expose_secret(), b"hunter2");
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Encoding {
    /// The bytes as they are; every value is legal.
    #[default]
    Raw,
    /// UTF-8, checked and kept as it is.
    Text,
    /// Standard base64 (RFC 4648 §4) with padding, canonical, without a single blank or line break.
    Base64,
}

impl Encoding {
    /// The bytes that `typed` stands for.
    ///
    /// # Errors
    /// [`Error::InvalidEncoding`] with the offset of the first fault; never with the text.
    pub fn decode(self, typed: SecretValue) -> Result<SecretValue> {
        match self {
            Self::Raw => Ok(typed),
            Self::Text => match std::str::from_utf8(typed.expose_secret()) {
                Ok(_) => Ok(typed),
                Err(fault) => Err(Error::InvalidEncoding { encoding: self, offset: fault.valid_up_to() }),
            },
            Self::Base64 => {
                let text = typed.expose_secret();
                let invalid = || Error::InvalidEncoding { encoding: self, offset: base64_fault(text) };
                let length = base64_decoded_length(text).ok_or_else(invalid)?;
                SecretValue::try_init_with(length, |bytes| Base64::decode(text, bytes).map(drop).map_err(|_| invalid()))
            }
        }
    }

    /// The text that stands for `value`, as the caller asked for it: base64 as standard base64, the others as the
    /// bytes themselves.
    ///
    /// # Errors
    /// [`Error::InvalidEncoding`] where [`Encoding::Text`] is asked for and the bytes are not UTF-8.
    pub fn encode(self, value: &SecretValue) -> Result<SecretValue> {
        match self {
            Self::Raw | Self::Text => self.decode(value.clone()),
            Self::Base64 => {
                let length = value.len().div_ceil(3) * 4;
                SecretValue::try_init_with(length, |text| match Base64::encode(value.expose_secret(), text) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Error::InvalidEncoding { encoding: self, offset: 0 }),
                })
            }
        }
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw bytes",
            Self::Text => "UTF-8 text",
            Self::Base64 => "standard base64",
        })
    }
}

/// Bytes that padded base64 of this length decodes to; the value must be born at its final size.
fn base64_decoded_length(text: &[u8]) -> Option<usize> {
    let padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    (text.len().is_multiple_of(4)).then(|| text.len() / 4 * 3 - if text.is_empty() { 0 } else { padding })
}

/// Offset of the first fault, looked for only after decoding failed: the constant-time decoder does not tell.
fn base64_fault(text: &[u8]) -> usize {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match text.iter().position(|&byte| !in_alphabet(byte)) {
        // Padding is a fault only where it is too early or too long; then the first `=` is the place to look at.
        Some(at) if text[at] == b'=' && text.len() - at <= 2 && text.len().is_multiple_of(4) => {
            text[at..].iter().position(|&byte| byte != b'=').map_or(at.saturating_sub(1), |after| at + after)
        }
        Some(at) => at,
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn offset(text: &str) -> usize {
        match Encoding::Base64.decode(SecretValue::copied_from(text.as_bytes())) {
            Err(Error::InvalidEncoding { offset, .. }) => offset,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn base64_faults_name_their_offset() {
        assert_eq!(offset("aGk"), 3);
        assert_eq!(offset("aG k="), 2);
        assert_eq!(offset("aGk=\n"), 3);
        assert_eq!(offset("aGkt\n"), 4);
        assert_eq!(offset("a==="), 1);
        assert_eq!(offset("=aGk"), 0);
        // Bits that no encoder sets: the last character before the padding.
        assert_eq!(offset("aGl="), 2);
        assert_eq!(offset("aGk=aGk="), 3);
        assert_eq!(offset("aG=k"), 3);
    }

    #[test]
    fn an_error_says_what_was_expected() {
        for (encoding, typed, words) in
            [(Encoding::Text, b"a\xff", "UTF-8 text"), (Encoding::Base64, b"a=", "standard base64")]
        {
            let told = encoding.decode(SecretValue::copied_from(typed)).unwrap_err().to_string();
            assert_eq!(encoding.to_string(), words);
            assert!(told.contains(words) && told.contains('1'), "{told}");
        }
        assert_eq!(Encoding::Raw.to_string(), "raw bytes");
    }

    proptest::proptest! {
        #[test]
        fn base64_returns_every_value(bytes: Vec<u8>) {
            let value = SecretValue::copied_from(&bytes);
            let text = Encoding::Base64.encode(&value).unwrap();
            let again = Encoding::Base64.decode(text).unwrap();
            proptest::prop_assert_eq!(again.expose_secret(), &bytes[..]);
        }

        #[test]
        fn what_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9+/=]{0,16}") {
            if let Ok(value) = Encoding::Base64.decode(SecretValue::copied_from(text.as_bytes())) {
                let again = Encoding::Base64.encode(&value).unwrap();
                proptest::prop_assert_eq!(again.expose_secret(), text.as_bytes());
            }
        }
    }
}
