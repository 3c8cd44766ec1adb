//! Counts what is flushed to the disk, so that nobody wins by not flushing.
//!
//! SQLite and the standard library call libc's `fsync` and `fdatasync`. On Linux the two here stand in their place in
//! this program: they count, and make the same system call.

#![allow(unsafe_code, reason = "a C function's name can only be taken by an attribute that is unsafe")]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;

static FLUSHES: AtomicU64 = AtomicU64::new(0);

/// How many flushes there were so far; `None` where they cannot be counted.
pub(crate) fn so_far() -> Option<u64> {
    cfg!(target_os = "linux").then(|| FLUSHES.load(Ordering::Relaxed))
}

/// The operation, with its flushes added up in `flushes`.
pub(crate) fn counted<'a, T>(
    flushes: &'a Cell<u64>,
    mut operation: impl FnMut() -> Result<T> + 'a,
) -> impl FnMut() -> Result<T> + 'a {
    move || {
        let before = so_far();
        let outcome = operation();
        flushes.set(flushes.get() + so_far().zip(before).map_or(0, |(after, before)| after - before));
        outcome
    }
}

#[cfg(target_os = "linux")]
mod counting {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::Ordering;

    use super::FLUSHES;

    // SAFETY: The name and the signature are POSIX's, and so is what it does.
    #[unsafe(no_mangle)]
    extern "C" fn fsync(file: i32) -> i32 {
        flush(file, |file| rustix::fs::fsync(file))
    }

    // SAFETY: As above.
    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(file: i32) -> i32 {
        flush(file, |file| rustix::fs::fdatasync(file))
    }

    fn flush(file: i32, with: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<()>) -> i32 {
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        if file < 0 {
            return -1;
        }
        // SAFETY: The caller holds the file open for the length of the call, as the functions of libc demand too.
        let file = unsafe { BorrowedFd::borrow_raw(file) };
        // The error's number is lost; whoever looks for it here only learns that it failed.
        if with(file).is_ok() { 0 } else { -1 }
    }
}
