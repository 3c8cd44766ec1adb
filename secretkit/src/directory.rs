//! The directory that a new file is moved into.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use secretkit_core::{Error, Result};

/// A directory that is open already when the file that is to stand in it is written. The file's name is durable only once
/// the directory is synced, and whoever may write to it may not be allowed to read it: that has to be an error before
/// anything is replaced.
pub(crate) struct Directory {
    path: PathBuf,
    opened: File,
}

impl Directory {
    /// That of this file.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let path = directory_of(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::file(path, errno))?;
        Ok(Self { path: path.to_owned(), opened: opened.into() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names in it durable.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn sync(&self) -> Result<()> {
        self.opened.sync_all().map_err(|error| Error::file(&self.path, error))
    }
}

pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
