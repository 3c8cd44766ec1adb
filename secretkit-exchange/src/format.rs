//! The formats, and what is in them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use secretkit_core::{Error, Result, SecretName, SecretValue};

use crate::{dotenv, json, nextflow};

/// More than this is not parsed. A limit before the parser, and not in it: no input is clever enough for a limit that
/// is checked first.
pub const MAX_INPUT_BYTES: usize = SecretValue::MAX_BYTES;

/// Of UTF-8 and of UTF-16: some editors and shells put one in front of a text, and no format here has one.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// One secret on its way in or out.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a name and a value are all that these files hold")]
pub struct Entry {
    /// Its name within the scope that it comes from or goes to.
    pub name: SecretName,
    /// Its value.
    pub value: SecretValue,
}

/// How secrets are written in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// `NAME=value` lines, see `docs/exchange.md` for the dialect.
    Dotenv,
    /// An object of names and values; an object within it is a group.
    Json,
    /// Nextflow's `store.json`: an array of objects with a name and a value.
    Nextflow,
    /// A directory with a file for each secret, as Flyte mounts them.
    Directory,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dotenv, Self::Json, Self::Nextflow, Self::Directory];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Nextflow => "nextflow",
            Self::Directory => "directory",
        }
    }

    /// What a path says of its format: a directory, `store.json` as Nextflow calls it, `.json`, and `.env` or what
    /// begins with it.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            Some(Self::Directory)
        } else if name == "store.json" {
            Some(Self::Nextflow)
        } else if name.ends_with(".json") {
            Some(Self::Json)
        } else if name.ends_with(".env") || name.starts_with(".env") {
            Some(Self::Dotenv)
        } else {
            None
        }
    }

    /// The secrets that this text holds, in its order. Each name stands once.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] with the line or entry that is not what the format says, [`Error::TooLarge`] for more
    /// than [`MAX_INPUT_BYTES`], and [`Error::Unsupported`] for a directory, which is no text.
    pub fn read(self, text: &[u8]) -> Result<Vec<Entry>> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(Error::TooLarge { length: text.len(), limit: MAX_INPUT_BYTES });
        }
        if BYTE_ORDER_MARKS.iter().any(|mark| text.starts_with(mark)) {
            let what = "it begins with a byte order mark; save it as UTF-8 without one".to_owned();
            return Err(Error::InvalidInput { format: self.as_str(), place: "line 1".to_owned(), what });
        }
        match self {
            Self::Dotenv => dotenv::read(text),
            Self::Json => json::read(text),
            Self::Nextflow => nextflow::read(text),
            Self::Directory => Err(no_text()),
        }
    }

    /// The text that holds these secrets, in memory that is wiped. [`read`](Self::read) gives them back exactly.
    ///
    /// # Errors
    /// [`Error::Undeliverable`] for a secret whose name or value the format cannot hold, [`Error::TooLarge`] where the
    /// text would not be read again, and [`Error::Unsupported`] for a directory.
    pub fn write(self, entries: &[Entry]) -> Result<SecretValue> {
        let text = match self {
            Self::Dotenv => dotenv::write(entries),
            Self::Json => json::write(entries),
            Self::Nextflow => nextflow::write(entries),
            Self::Directory => Err(no_text()),
        }?;
        if text.len() > MAX_INPUT_BYTES {
            return Err(Error::TooLarge { length: text.len(), limit: MAX_INPUT_BYTES });
        }
        Ok(text)
    }
}

fn no_text() -> Error {
    Error::Unsupported("a directory of files is read and written by its path".to_owned())
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == text);
        known.ok_or_else(|| {
            Error::Unsupported("there is no such format; it is dotenv, json, nextflow or directory".to_owned())
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same names and the same bytes, in the same order.
    fn is_read_as_it_was_written(format: Format, names: impl Fn(usize) -> String, values: &[impl AsRef<[u8]>]) {
        let entry = |(at, value): (usize, &_)| Entry {
            name: names(at).parse().unwrap(),
            value: SecretValue::copied_from(AsRef::<[u8]>::as_ref(value)),
        };
        let entries: Vec<_> = values.iter().enumerate().map(entry).collect();
        let again = format.read(format.write(&entries).unwrap().expose_secret()).unwrap();
        assert_eq!(again.len(), entries.len());
        for (one, other) in entries.iter().zip(&again) {
            assert_eq!(one.name, other.name);
            assert_eq!(one.value.expose_secret(), other.value.expose_secret());
        }
    }

    proptest! {
        #[test]
        fn dotenv_is_read_as_it_was_written(values in prop::collection::vec("(?s)[^\0]{0,40}", 0..5)) {
            is_read_as_it_was_written(Format::Dotenv, |at| format!("K{at}"), &values);
        }

        #[test]
        fn json_is_read_as_it_was_written(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5)) {
            let name = |at: usize| if at.is_multiple_of(2) { format!("K{at}") } else { format!("g/base64{at}") };
            is_read_as_it_was_written(Format::Json, name, &values);
        }
    }

    #[test]
    fn a_byte_order_mark_is_told_as_one() {
        for (format, text) in [(Format::Dotenv, "A=canary\n"), (Format::Json, "{}"), (Format::Nextflow, "[]")] {
            assert!(format.read(text.as_bytes()).is_ok());
            for mark in BYTE_ORDER_MARKS {
                let told = format.read(&[mark, text.as_bytes()].concat()).unwrap_err();
                assert!(matches!(&told, Error::InvalidInput { place, .. } if place == "line 1"), "{told:?}");
                let told = told.to_string();
                assert!(told.contains("byte order mark") && !told.contains("canary"), "{told}");
            }
        }
    }
}
