//! Reading key material from where its owner keeps it: a file that nobody else reads, or a variable.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Fills `text` from a file that only its owner can read, and returns how much of it was filled. One that is filled to
/// its end was too short.
///
/// # Errors
/// [`Error::File`] where it cannot be read, [`Error::ExposedRootKey`] where it is not safe.
pub(super) fn read(path: &Path, text: &mut [u8]) -> Result<usize> {
    let mut file = open(path)?;
    let mut length = 0;
    while length < text.len() {
        match file.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::file(path, error)),
        }
    }
    Ok(length)
}

/// A variable of this process's environment.
///
/// # Errors
/// [`Error::NoRootKey`] where it is not set.
pub(super) fn variable(name: &str) -> Result<Zeroizing<Vec<u8>>> {
    let value = std::env::var_os(name)
        .ok_or_else(|| Error::NoRootKey(format!("the environment variable {name} is not set")))?;
    Ok(Zeroizing::new(value.into_vec()))
}

fn open(path: &Path) -> Result<File> {
    // Not blocking: a pipe in the key's place must be an error and not a wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::LOOP) => {
            return Err(exposed(path, "is a symbolic link; name the file itself"));
        }
        Err(errno) => return Err(Error::file(path, errno)),
    };
    let metadata = file.metadata().map_err(|source| Error::file(path, source))?;
    if metadata.is_dir() {
        return Err(Error::file(path, rustix::io::Errno::ISDIR));
    }
    if !metadata.is_file() {
        return Err(exposed(path, "is no regular file"));
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(exposed(path, "belongs to another user; make it your own with chown"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(exposed(path, "can be read or written by others; run chmod 600 on it"));
    }
    Ok(file)
}

fn exposed(path: &Path, why: &str) -> Error {
    Error::ExposedRootKey { path: path.to_owned(), why: why.to_owned() }
}
