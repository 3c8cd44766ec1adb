//! The directories on the way to a store: whoever can replace one of them can replace the store.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secretkit_core::{Error, Result};
use secretkit_files::make_directory;

use crate::place::unsafe_store;

/// Refuses a store at `path` below a directory of another user, or below one in which everybody can rename what is there.
/// No symbolic link is in `directory`, the nearest one.
///
/// A group is trusted on the way: in many systems each user has one alone, which may write to the user's home.
///
/// # Errors
/// [`Error::UnsafeStore`], [`Error::File`].
pub(crate) fn check(directory: &Path, path: &Path) -> Result<()> {
    for directory in directory.ancestors() {
        let metadata = directory.symlink_metadata().map_err(|error| Error::file(directory, error))?;
        let named = directory.display();
        if !is_trusted(metadata.uid()) {
            let why = format!(
                "can be replaced by another user, who owns {named}; make that your own with chown, or keep the store \
                 in a directory of your own"
            );
            return Err(unsafe_store(path, &why));
        }
        if metadata.mode() & 0o1002 == 0o002 {
            let why = format!(
                "can be replaced by others, because everybody can write to {named}; run chmod o-w on it, or keep the \
                 store elsewhere"
            );
            return Err(unsafe_store(path, &why));
        }
    }
    Ok(())
}

/// As [`check`], where directories on the way to `path` are yet to be made.
///
/// # Errors
/// [`Error::UnsafeStore`], [`Error::File`].
pub(crate) fn check_missing(path: &Path) -> Result<()> {
    let failed = |error| Error::file(path, error);
    let nearest = path.ancestors().skip(1).find(|directory| directory.is_dir()).unwrap_or_else(|| Path::new("."));
    check(&nearest.canonicalize().map_err(failed)?, path)
}

/// Makes `directory` and what is missing above it, each for its owner alone (0700), and returns when their names are on
/// the disk. Makes nothing below what [`check`] refuses.
///
/// # Errors
/// [`Error::UnsafeStore`], [`Error::File`].
pub(crate) fn make(directory: &Path) -> Result<()> {
    make_directory(directory, |nearest| {
        check(&nearest.canonicalize().map_err(|error| Error::file(directory, error))?, directory)
    })
}

/// Whether nothing is to be feared of this user. Root can do everything anyway.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw() || user == NOBODY && !is_mapped(NOBODY)
}

/// How Linux shows every user that a user namespace does not know, and so root, where a sandbox has one user alone.
const NOBODY: u32 = 65_534;

/// Whether this user is one here. Outside of user namespaces everybody is.
fn is_mapped(user: u32) -> bool {
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else { return true };
    is_in(&map, user)
}

/// Each line has the first user of a range here, the same outside, and how many there are.
fn is_in(map: &str, user: u32) -> bool {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        Some((numbers.next()?.ok()?, numbers.nth(1)?.ok()?))
    };
    let user = u64::from(user);
    map.lines().any(|line| range(line).is_none_or(|(first, count)| first <= user && user - first < count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_map_of_users() {
        // The whole system, a container, and a sandbox of one user.
        assert!(is_in("         0          0 4294967295\n", NOBODY));
        assert!(is_in("         0       1000          1\n         1     100000      65536\n", NOBODY));
        assert!(!is_in("      1000       1000          1\n", NOBODY));
        assert!(!is_in("         0       1000          1\n", NOBODY));
        assert!(!is_in("", NOBODY));
        assert!(is_in("what is this", NOBODY), "nobody is trusted who may be somebody");
    }
}
