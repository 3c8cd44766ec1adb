//! Reading key material from where its owner keeps it: a file that nobody else reads, or a variable.

use std::fs::File;
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
    let file = open(path)?;
    let mut length = 0;
    loop {
        // Where it is filled to its end there is nothing to read into, and the system says so with the same 0.
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut text[length..])) {
            Ok(0) => return Ok(length),
            Ok(count) => length += count,
            Err(errno) => return Err(Error::file(path, errno)),
        }
    }
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

/// Not blocking: a pipe in the key's place must be an error and not a wait.
const TO_READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

fn open(path: &Path) -> Result<File> {
    let file = match rustix::fs::open(path, TO_READ, Mode::empty()) {
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
