//! What SQLite says, in the words of secretkit.

use std::io;

use errno::{Errno, set_errno};
use rusqlite::{ErrorCode, ffi};
use secretkit_core::{Error, Result, Token};

use crate::place::Place;

/// A result of SQLite's as one of ours.
pub(crate) trait Named<T> {
    /// Names the store that failed.
    ///
    /// # Errors
    /// The kind that fits what SQLite says.
    fn at(self, place: &Place) -> Result<T>;
}

impl<T> Named<T> for rusqlite::Result<T> {
    fn at(self, place: &Place) -> Result<T> {
        self.map_err(|error| named(place, error))
    }
}

/// Forgets what the system last said to this thread, so that [`named`] hears only what it says from now on.
pub(crate) fn begin() {
    set_errno(Errno(0));
}

fn named(place: &Place, error: rusqlite::Error) -> Error {
    // Before anything else asks the system for something.
    let system = io::Error::last_os_error();
    let store = place.to_string();
    let rusqlite::Error::SqliteFailure(failure, _) = &error else {
        return Error::Store { store, source: error.into() };
    };
    match failure.code {
        // SQLite calls a page corrupt that the disk did not give, and any other trouble with the shared memory a lack
        // of room.
        ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure if is_of_the_disk(&system) => {
            Error::Store { store, source: system.into() }
        }
        // It takes that for a file that may not be opened, or not be written.
        ErrorCode::CannotOpen | ErrorCode::ReadOnly if is_out_of_files(&system) => {
            Error::Store { store, source: system.into() }
        }
        // The last is a reader and a writer that missed each other over and over, for seconds.
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            Error::Busy { store }
        }
        ErrorCode::ReadOnly => Error::ReadOnly { store },
        ErrorCode::DiskFull => Error::Full { store },
        // The shared-memory file is the one that is written before anything else is.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Error::Full { store },
        ErrorCode::DatabaseCorrupt => Error::Corrupt { what: format!("the file {store}") },
        ErrorCode::NotADatabase => not_ours(place),
        ErrorCode::PermissionDenied => Error::file(place.path(), io::ErrorKind::PermissionDenied),
        _ => Error::Store { store, source: error.into() },
    }
}

/// What SQLite takes for the word of a disk that fails.
fn is_of_the_disk(system: &io::Error) -> bool {
    matches!(system.raw_os_error(), Some(libc::EIO | libc::ENXIO))
}

/// A commit that failed while it was made durable: whether it took effect is for the next reader to find.
pub(crate) fn of_commit(place: &Place, token: Option<Token>, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => {
            Error::OutcomeUnknown { store: place.to_string(), token, source: error.into() }
        }
        _ => named(place, error),
    }
}

/// Whether this process or the whole system has no more files to open, which passes.
fn is_out_of_files(system: &io::Error) -> bool {
    matches!(system.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// What is wrong with a store that was opened for writing, and that SQLite opened for reading.
pub(crate) fn read_only(place: &Place) -> Error {
    let system = io::Error::last_os_error();
    match is_out_of_files(&system) {
        true => Error::Store { store: place.to_string(), source: system.into() },
        false => Error::ReadOnly { store: place.to_string() },
    }
}

/// Whether SQLite may not open one of the files that it needs, or not so that it can be written.
pub(crate) fn cannot_open(error: &rusqlite::Error) -> bool {
    !is_out_of_files(&io::Error::last_os_error())
        && matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

pub(crate) fn not_ours(place: &Place) -> Error {
    Error::NotAStore { store: place.to_string(), why: "was not made by secretkit; name another file".to_owned() }
}

#[cfg(test)]
mod tests {
    use secretkit_core::ErrorKind;

    use super::*;

    #[test]
    fn each_of_sqlites_codes_has_its_kind() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        let kinds = [
            (ffi::SQLITE_BUSY, ErrorKind::Busy),
            (ffi::SQLITE_BUSY_RECOVERY, ErrorKind::Busy),
            (ffi::SQLITE_LOCKED, ErrorKind::Busy),
            (ffi::SQLITE_PROTOCOL, ErrorKind::Busy),
            (ffi::SQLITE_READONLY, ErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::ReadOnly),
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_IOERR_SHMSIZE, ErrorKind::Full),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, ErrorKind::NotAStore),
            (ffi::SQLITE_PERM, ErrorKind::PermissionDenied),
            (ffi::SQLITE_IOERR_READ, ErrorKind::Other),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, ErrorKind::Other),
        ];
        begin();
        for (code, kind) in kinds {
            let failure = || rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(named(&place, failure()).kind(), kind, "{code}");
            assert!(named(&place, failure()).to_string().contains("secrets.db"));
        }
    }

    #[test]
    fn a_disk_that_fails_is_not_a_damaged_file() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        let named = |code, system| {
            set_errno(Errno(system));
            named(&place, rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
        };
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_READ] {
            let error = named(code, libc::EIO);
            assert_eq!(error.kind(), ErrorKind::Other, "{code}");
            assert!(error.to_string().contains("os error 5"), "{error}");
        }
        for code in [ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY] {
            let error = named(code, libc::EMFILE);
            assert_eq!(error.kind(), ErrorKind::Other, "{code}");
            assert!(error.to_string().contains("Too many open files"), "{error}");
        }
        // What failed before, and for another reason, makes no difference.
        assert_eq!(named(ffi::SQLITE_CORRUPT, libc::ENOENT).kind(), ErrorKind::Corrupt);
        assert_eq!(named(ffi::SQLITE_IOERR_SHMSIZE, libc::ENOSPC).kind(), ErrorKind::Full);
        set_errno(Errno(libc::EIO));
        begin();
        assert_eq!(named(ffi::SQLITE_CORRUPT, 0).kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_commit_that_failed_to_reach_the_disk_has_an_unknown_outcome() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        let kind = |code| of_commit(&place, None, rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).kind();
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert_eq!(kind(code), ErrorKind::OutcomeUnknown);
        }
        // What was not written at all was not committed.
        assert_eq!(kind(ffi::SQLITE_FULL), ErrorKind::Full);
        assert_eq!(kind(ffi::SQLITE_BUSY), ErrorKind::Busy);
    }
}
