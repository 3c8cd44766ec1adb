//! The directory that a new file is moved into.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
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

/// Makes the directory of this file and what is missing above it, each for its owner alone (0700), and returns when their
/// names are on the disk: a file that is synced is lost with a directory that is not.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn make_for(path: &Path) -> Result<()> {
    make_and(path, flush)
}

fn make_and(path: &Path, flush: impl Fn(&Path) -> io::Result<()>) -> Result<()> {
    let failed = |error| Error::file(path, error);
    let is_missing = |directory: &&Path| !directory.is_dir();
    let missing: Vec<_> = directory_of(path).ancestors().take_while(is_missing).collect();
    for new in missing.into_iter().rev().filter(|new| !new.as_os_str().is_empty()) {
        match DirBuilder::new().mode(0o700).create(new) {
            // Somebody else may have been faster.
            Err(error) if !new.is_dir() => return Err(failed(error)),
            Ok(()) | Err(_) => flush(directory_of(new)).map_err(failed)?,
        }
    }
    Ok(())
}

/// A directory in which one may make files and not look cannot be flushed.
fn flush(directory: &Path) -> io::Result<()> {
    match File::open(directory) {
        Ok(directory) => directory.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn whatever_is_made_is_flushed_where_its_name_stands() {
        let above = tempfile::tempdir().unwrap();
        let flushed = RefCell::new(Vec::new());
        let note = |directory: &Path| {
            assert!(directory.is_dir());
            flushed.borrow_mut().push(directory.to_owned());
            flush(directory)
        };
        let config = above.path().join("config");
        make_and(&config.join("secretkit/root.key"), note).unwrap();
        assert_eq!(flushed.take(), [above.path().to_owned(), config.clone()]);
        for made in [config.clone(), config.join("secretkit")] {
            assert_eq!(made.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        }
        make_and(&config.join("root.key"), note).unwrap();
        make_and(Path::new("root.key"), note).unwrap();
        assert!(flushed.take().is_empty());
        make_and(&config.join("full/root.key"), |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
    }
}
