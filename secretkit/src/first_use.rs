//! The root key that the first write makes: once, whole, for its owner alone, whoever else writes first at the same time.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use secretkit_core::{Error, Result, RootKey};

/// Makes a root key file, readable by its owner alone, and its directory where that is missing.
///
/// Keep a copy of the file in a safe place and apart from the store: without it no value of the store opens again.
///
/// # Errors
/// [`Error::File`] where the file exists already, which is never written over, or cannot be made.
pub fn create_root_key(path: &Path) -> Result<RootKey> {
    match make(path)? {
        Made::New(key) => Ok(key),
        Made::ByAnother => Err(Error::file(path, rustix::io::Errno::EXIST)),
    }
}

/// The key file at `path`, made if it is not there: the key, and whether it was this call that made it.
pub(crate) fn root_key(path: &Path) -> Result<(RootKey, bool)> {
    match make(path)? {
        Made::New(key) => Ok((key, true)),
        Made::ByAnother => Ok((RootKey::from_file(path)?, false)),
    }
}

enum Made {
    New(RootKey),
    ByAnother,
}

/// The file gets its name only when it is whole and on the disk, and only if nobody else's has that name by then.
fn make(path: &Path) -> Result<Made> {
    let failed = |source: std::io::Error| Error::file(path, source);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let key = RootKey::generate()?;
    // Made with mode 600 and O_EXCL; removed again on every way out of here but the last.
    let mut file = tempfile::Builder::new().prefix(".root-key-").tempfile_in(directory).map_err(failed)?;
    file.write_all(key.to_text().expose_secret()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(Made::ByAnother),
        Err(error) => return Err(failed(error.error)),
    }
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(Made::New(key))
}
