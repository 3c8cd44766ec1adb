//! Making directories that outlast a power cut.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use secretkit_core::{Error, Result};

use crate::directory::directory_of;

/// Makes a directory and what is missing above it, each for its owner alone (0700), and returns when their names are on the
/// disk: a file that is synced is lost with a directory that is not.
///
/// Where something is missing, `judge` is asked first whether it may be made, of the nearest directory that is there.
///
/// # Errors
/// [`Error::File`], and those of `judge`, after which nothing was made.
pub fn make_directory(path: &Path, judge: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    make_and(path, judge, flush)
}

fn make_and(
    path: &Path,
    judge: impl FnOnce(&Path) -> Result<()>,
    flush: impl Fn(&Path) -> io::Result<()>,
) -> Result<()> {
    let failed = |error| Error::file(path, error);
    let is_missing = |directory: &&Path| !directory.as_os_str().is_empty() && !directory.is_dir();
    let missing: Vec<_> = path.ancestors().take_while(is_missing).collect();
    let Some(first) = missing.last() else { return Ok(()) };
    judge(directory_of(first))?;
    for new in missing.into_iter().rev() {
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
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
        let any = |_: &Path| Ok(());
        let data = above.path().join("data");
        make_and(&data.join("secretkit/store"), any, note).unwrap();
        assert_eq!(flushed.take(), [above.path().to_owned(), data.clone(), data.join("secretkit")]);
        for made in [data.clone(), data.join("secretkit"), data.join("secretkit/store")] {
            assert_eq!(made.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        }
        make_and(&data.join("secretkit/../other"), any, note).unwrap();
        assert_eq!(flushed.take(), [data.join("secretkit/..")]);
        for there in [&data, Path::new("/"), Path::new("."), Path::new("")] {
            make_and(there, any, note).unwrap();
        }
        assert!(flushed.take().is_empty());
        make_and(&data.join("full/store"), any, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
    }

    #[test]
    fn the_nearest_directory_that_is_there_is_judged_before_anything_is_made() {
        let above = tempfile::tempdir().unwrap();
        let judged = Cell::new(None);
        let refuse = |directory: &Path| {
            judged.set(Some(directory.to_owned()));
            Err(Error::file(directory, io::ErrorKind::PermissionDenied))
        };
        let new = above.path().join("data");
        make_directory(&new.join("secretkit"), refuse).unwrap_err();
        assert_eq!(judged.take().as_deref(), Some(above.path()));
        assert!(!new.exists());
        make_directory(above.path(), refuse).unwrap();
        assert_eq!(judged.take(), None, "nothing is to be made");
        std::fs::write(&new, "").unwrap();
        make_directory(&new, |_| Ok(())).unwrap_err();
    }
}
