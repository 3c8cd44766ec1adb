//! A file that has no name of its own yet.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use secretkit_core::{Error, Result};
use tempfile::TempPath;

use crate::directory::{Directory, directory_of};

/// What to do where something stands in the place of what is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do with it")]
pub enum Existing {
    /// Leave it, and write nothing.
    Refuse,
    /// Put the new in its place, in one step.
    Replace,
}

/// Whether a new file has its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a name is had or not")]
#[must_use = "what stands there may be something else"]
pub enum Put {
    /// It has, and that is on the disk.
    InPlace,
    /// Something else stood there and was to stay. The new one is gone.
    Taken,
}

/// A file under a name that nobody knows, in the directory where it is to stand. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    directory: Directory,
    unnamed: TempPath,
}

impl NewFile {
    /// So many random letters and digits follow the prefix.
    pub const RANDOM: usize = 6;

    /// An empty one that is to stand at `path`, for its owner alone (0600), open for reading and writing. Until then its
    /// name begins with `prefix`. Whoever fills it syncs it.
    ///
    /// # Errors
    /// [`Error::File`], which names the directory.
    pub fn begin(path: &Path, prefix: &str) -> Result<(Self, File)> {
        let directory = Directory::open(directory_of(path))?;
        let file = tempfile::Builder::new().prefix(prefix).rand_bytes(Self::RANDOM).tempfile_in(directory.path());
        let (file, unnamed) = file.map_err(|error| Error::file(directory.path(), error))?.into_parts();
        Ok((Self { path: path.to_owned(), directory, unnamed }, file))
    }

    /// The same that holds these bytes, synced.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn written(path: &Path, prefix: &str, contents: &[u8]) -> Result<Self> {
        let (new, mut file) = Self::begin(path, prefix)?;
        file.write_all(contents).and_then(|()| file.sync_all()).map_err(|error| Error::file(path, error))?;
        Ok(new)
    }

    /// Where it is until it has its name.
    #[must_use]
    pub fn unnamed(&self) -> &Path {
        &self.unnamed
    }

    /// Gives it its name, and returns when that is on the disk. A link that stands there is replaced and not followed.
    ///
    /// # Errors
    /// [`Error::File`]. If syncing the directory fails, the file has its name for now.
    pub fn put(self, existing: Existing) -> Result<Put> {
        let Self { path, directory, unnamed } = self;
        let named = match existing {
            Existing::Replace => unnamed.persist(&path),
            Existing::Refuse => unnamed.persist_noclobber(&path),
        };
        match named {
            Err(lost) if existing == Existing::Refuse && lost.error.kind() == ErrorKind::AlreadyExists => {
                return Ok(Put::Taken);
            }
            Err(lost) => return Err(Error::file(&path, lost.error)),
            Ok(()) => {}
        }
        directory.sync()?;
        Ok(Put::InPlace)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_stands_there_is_the_old_one_or_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        let new = |contents: &[u8]| NewFile::written(&path, ".new-", contents).unwrap();
        assert_eq!(new(b"one").put(Existing::Refuse).unwrap(), Put::InPlace);
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        let second = new(b"two");
        assert!(names(directory.path())[0].starts_with(".new-"));
        assert_eq!(fs::read(second.unnamed()).unwrap(), b"two");
        assert_eq!(second.put(Existing::Refuse).unwrap(), Put::Taken);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(new(b"three").put(Existing::Replace).unwrap(), Put::InPlace);
        assert_eq!(fs::read(&path).unwrap(), b"three");
        drop(new(b"four"));
        assert_eq!(names(directory.path()), ["list"], "nothing is left over");
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, target) = (directory.path().join("link"), directory.path().join("target"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &path).unwrap();
        let new = || NewFile::written(&path, ".new-", b"new").unwrap();
        assert_eq!(new().put(Existing::Refuse).unwrap(), Put::Taken);
        assert_eq!(new().put(Existing::Replace).unwrap(), Put::InPlace);
        assert!(!path.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }

    #[test]
    fn a_directory_is_no_place_for_a_file_and_nothing_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("directory");
        fs::create_dir(&path).unwrap();
        for existing in [Existing::Refuse, Existing::Replace] {
            let put = NewFile::written(&path, ".new-", b"new").unwrap().put(existing);
            assert!(!matches!(put, Ok(Put::InPlace)), "{existing:?}");
        }
        NewFile::begin(&directory.path().join("missing/file"), ".new-").unwrap_err();
        assert_eq!(names(directory.path()), ["directory"]);
    }
}
