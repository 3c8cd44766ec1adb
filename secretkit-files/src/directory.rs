//! A directory that something is moved into.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use secretkit_core::{Error, Result};

/// A directory that is open already when something is to be moved into it.
///
/// The new name is durable only once the directory is synced, and whoever may write to it may not be allowed to read it:
/// that has to be an error before anything is replaced.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    opened: File,
}

impl Directory {
    /// The directory at this path.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::file(path, errno))?;
        Ok(Self { path: path.to_owned(), opened: opened.into() })
    }

    /// Its path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names in it durable.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn sync(&self) -> Result<()> {
        self.opened.sync_all().map_err(|error| Error::file(&self.path, error))
    }
}

/// Where the file at this path stands, or is to stand: for a name alone, the current directory.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
