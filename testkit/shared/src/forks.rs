//! A process that forks, and both sides going on.

#![allow(unsafe_code, reason = "there is no other way to fork")]

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `child` in a forked process, whose number this returns.
pub fn fork(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: The child runs `child` and ends without returning. It does more than POSIX allows a child of a process
    // with threads, which is the point: the C libraries that we run on allow it, and hosts rely on that.
    match unsafe { libc::fork() } {
        0 => {
            let failed = catch_unwind(AssertUnwindSafe(child)).is_err();
            // SAFETY: It ends the process, without the handlers that belong to the parent.
            unsafe { libc::_exit(failed.into()) }
        }
        process => {
            assert!(process > 0);
            process
        }
    }
}

/// Waits for a forked process, which must end well.
pub fn wait(process: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` is there to be written to.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
    assert_eq!(status, 0, "the child failed");
}
