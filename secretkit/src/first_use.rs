//! The root key that the first write makes: once, whole, for its owner alone, whoever else writes first at the same time.

use std::path::{Path, PathBuf};

use secretkit_core::{Error, Result, RootKey};
use secretkit_files::{Existing, NewFile, Put, directory_of, make_directory};

/// Makes a root key file, readable by its owner alone, and its directory where that is missing.
///
/// Keep a copy of the file in a safe place and apart from the store: without it no value of the store opens again.
///
/// # Errors
/// [`Error::File`] where the file exists already, which is never written over, or cannot be made.
pub fn create_root_key(path: &Path) -> Result<RootKey> {
    match NewRootKey::write(path)?.publish()? {
        Published::New(key) => Ok(key),
        Published::ByAnother => Err(Error::file(path, rustix::io::Errno::EXIST)),
    }
}

/// A root key that is whole and on the disk, but has no name yet: dropped, it leaves no file behind.
pub(crate) struct NewRootKey {
    key: RootKey,
    path: PathBuf,
    file: NewFile,
}

enum Published {
    New(RootKey),
    ByAnother,
}

impl NewRootKey {
    /// Writes it into the directory of its future name, which is made where it is missing: what can fail there, fails
    /// now.
    pub(crate) fn write(path: &Path) -> Result<Self> {
        make_directory(directory_of(path), |_| Ok(()))?;
        let key = RootKey::generate()?;
        let file = NewFile::written(path, ".root-key-", key.to_text().expose_secret())?;
        Ok(Self { key, path: path.to_owned(), file })
    }

    /// The key that has the name from now on, this one or that of whoever was first; and whether it is this one.
    pub(crate) fn publish_or_load(self) -> Result<(RootKey, bool)> {
        let path = self.path.clone();
        match self.publish()? {
            Published::New(key) => Ok((key, true)),
            Published::ByAnother => Ok((RootKey::from_file(&path)?, false)),
        }
    }

    /// Gives it its name, unless something else has that by now.
    fn publish(self) -> Result<Published> {
        Ok(match self.file.put(Existing::Refuse)? {
            Put::InPlace => Published::New(self.key),
            Put::Taken => Published::ByAnother,
        })
    }
}
