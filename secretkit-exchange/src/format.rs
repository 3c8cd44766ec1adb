//! The formats, and what is in them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use secretkit_core::{Error, Result, SecretName, SecretValue};

use crate::{dotenv, json, nextflow};

/// More than this is not parsed. A limit before the parser, and not in it: no input is clever enough for a limit that
/// is checked first.
pub const MAX_INPUT_BYTES: usize = SecretValue::MAX_BYTES;

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
