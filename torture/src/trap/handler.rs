//! The filter, and the handler of what it traps.
//!
//! The handler keeps to what a signal handler may do: it allocates nothing, takes no lock, and speaks to the kernel
//! alone. Its own calls carry a word in the sixth argument, which none of them has, and by which the filter lets
//! them pass.

#![allow(unsafe_code, reason = "a handler of signals sees the calls of a process as the kernel does")]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::{c_int, c_long, siginfo_t, ucontext_t};

use super::journal::{NOWHERE, Tag, header};
use super::machine::{self, RawCall};
use super::plan::{Fault, How, Kind, Moment, Plan};

/// What the handler's own calls carry.
const PASS: usize = 0x5ec7_e751;

struct Trap {
    plan: Plan,
    /// The directory whose files are watched.
    directory: Box<[u8]>,
    journal: RawFd,
    /// The descriptors of watched files.
    watched: [AtomicBool; 1024],
    /// Calls that change something.
    calls: AtomicU64,
    /// Calls of the kind that is to fail.
    of_the_kind: AtomicU64,
}

static TRAP: OnceLock<Trap> = OnceLock::new();

/// Watches what this process does with the files of a directory from now on, and what it tells on standard output.
///
/// # Errors
/// Where this machine lets no process filter its own calls.
pub(crate) fn install(plan: Plan, directory: &Path, journal: File) -> io::Result<()> {
    let trap = Trap {
        plan,
        directory: directory.as_os_str().as_bytes().into(),
        journal: journal.as_raw_fd(),
        watched: [const { AtomicBool::new(false) }; 1024],
        calls: AtomicU64::new(0),
        of_the_kind: AtomicU64::new(0),
    };
    std::mem::forget(journal);
    assert!(TRAP.set(trap).is_ok(), "one process has one trap");
    let reads = matches!(plan, Plan::Fail { fault: Fault { kind: Kind::Read, .. }, .. });
    let filter = filter(reads);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: The handler has the signature that SA_SIGINFO asks for and stays in the program. The filter is read by
    // the kernel during the call and outlives it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        if libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) != 0
            || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

const CALLS: [(c_long, &str); 15] = [
    (libc::SYS_openat, "openat"),
    (libc::SYS_close, "close"),
    (libc::SYS_write, "write"),
    (libc::SYS_pwrite64, "pwrite"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_linkat, "linkat"),
    // Ways past the journal. Whoever tries them falls back to read and write.
    (libc::SYS_copy_file_range, "unheard"),
    (libc::SYS_sendfile, "unheard"),
    (libc::SYS_fallocate, "unheard"),
    (libc::SYS_pwritev, "unheard"),
];
const READS: [(c_long, &str); 2] = [(libc::SYS_read, "read"), (libc::SYS_pread64, "pread")];

/// A program for the kernel: trap these calls unless they carry [`PASS`].
fn filter(reads: bool) -> Vec<libc::sock_filter> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump = |k: u32, jt: usize, jf: usize| {
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        libc::sock_filter { code, jt: jt as u8, jf: jf as u8, k }
    };
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let answer = |action: u32| statement(libc::BPF_RET | libc::BPF_K, action);
    let numbers: Vec<c_long> =
        CALLS.iter().chain(&machine::OLD).chain(READS.iter().filter(|_| reads)).map(|(number, _)| *number).collect();
    // The machine, the call, and the low half of the sixth argument, where `struct seccomp_data` has them.
    let mut program = vec![load(4), jump(machine::MACHINE, 0, numbers.len() + 1), load(0)];
    for (at, number) in numbers.iter().enumerate() {
        program.push(jump(*number as u32, numbers.len() - at, 0));
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program.extend([load(56), jump(PASS as u32, 0, 1), answer(libc::SECCOMP_RET_ALLOW)]);
    program.push(answer(libc::SECCOMP_RET_TRAP));
    program
}

extern "C" fn on_trap(_signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: The kernel passes a context that is ours until the handler returns.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    let call = machine::call(context);
    // SAFETY: This thread's own error number.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: As above. What the handler does must not show in it.
    let before = unsafe { *errno };
    let outcome = TRAP.get().map_or(-(libc::ENOSYS as isize), |trap| trap.answer(&call));
    // SAFETY: As above.
    unsafe { *errno = before };
    machine::answer(context, outcome);
}

/// Makes a call past the filter. Returns what the kernel does: an error as a number below zero.
fn make(call: &RawCall) -> isize {
    let [a, b, c, d, e] = call.arguments;
    // SAFETY: The call that the process itself wanted to make, with its own arguments.
    let outcome = unsafe { libc::syscall(call.number, a, b, c, d, e, PASS) };
    if outcome < 0 {
        // SAFETY: This thread's own error number.
        return -(unsafe { *libc::__errno_location() } as isize);
    }
    outcome as isize
}

/// The text that a call names.
fn text<'a>(pointer: usize) -> &'a [u8] {
    // SAFETY: The process passed it to the kernel as a path, and waits for this call to end.
    unsafe { std::ffi::CStr::from_ptr(pointer as *const libc::c_char) }.to_bytes()
}

/// The bytes that a call writes.
fn bytes<'a>(pointer: usize, length: usize) -> &'a [u8] {
    // SAFETY: The process passed them to the kernel to be written, and waits for this call to end.
    unsafe { std::slice::from_raw_parts(pointer as *const u8, length) }
}

impl Trap {
    fn answer(&self, call: &RawCall) -> isize {
        let [a, b, c, d, e] = call.arguments;
        let name = CALLS.iter().chain(&machine::OLD).chain(&READS).find(|(number, _)| *number == call.number);
        match name.map_or("", |(_, name)| *name) {
            "openat" => self.open(call, b, c),
            "open" => self.open(call, a, b),
            "creat" => self.open(call, a, (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as usize),
            "close" => self.close(call, a),
            "write" | "pwrite" => self.write(call),
            "ftruncate" if self.watches(a) => {
                self.change(call, Kind::Truncate, Tag::Truncate, (a as i32, b as i64), [&[], &[]])
            }
            "fsync" | "fdatasync" if self.watches(a) => {
                self.change(call, Kind::Sync, Tag::Sync, (a as i32, 0), [&[], &[]])
            }
            "unlink" => self.named(call, Kind::Unlink, Tag::Unlink, text(a), b""),
            "unlinkat" => self.named(call, Kind::Unlink, Tag::Unlink, text(b), b""),
            "rename" => self.named(call, Kind::Rename, Tag::Rename, text(a), text(b)),
            "renameat" | "renameat2" => self.named(call, Kind::Rename, Tag::Rename, text(b), text(d)),
            "link" => self.named(call, Kind::Rename, Tag::Link, text(a), text(b)),
            "linkat" => self.named(call, Kind::Rename, Tag::Link, text(b), text(d)),
            "read" | "pread" if self.watches(a) => self.fails(Kind::Read).map_or_else(
                || make(call),
                |how| match how {
                    How::Error(errno) => {
                        self.note(Tag::Read, (a as i32, 0), -(errno as isize), [&[], &[]]);
                        -(errno as isize)
                    }
                    How::Short => make(call),
                },
            ),
            "unheard" if [a, c].iter().any(|descriptor| self.watches(*descriptor)) => -(libc::ENOSYS as isize),
            _ => {
                let _ = e;
                make(call)
            }
        }
    }

    fn open(&self, call: &RawCall, path: usize, flags: usize) -> isize {
        let (path, flags) = (text(path), flags as i32);
        if !path.starts_with(&self.directory) {
            return make(call);
        }
        let errno = match self.fails(Kind::Open) {
            // A read-only file system lets itself be read.
            Some(How::Error(libc::EROFS)) if flags & (libc::O_ACCMODE | libc::O_CREAT) == libc::O_RDONLY => None,
            Some(How::Error(errno)) => Some(errno),
            _ => None,
        };
        let creates = flags & libc::O_CREAT != 0;
        let moment = if creates { self.kills() } else { None };
        if matches!(moment, Some(Moment::Before | Moment::Within)) {
            self.die();
        }
        let outcome = errno.map_or_else(|| make(call), |errno| -(errno as isize));
        if let Some(watched) = usize::try_from(outcome).ok().and_then(|at| self.watched.get(at)) {
            watched.store(true, Ordering::Relaxed);
        }
        self.note(Tag::Open, (flags, 0), outcome, [path, &[]]);
        if moment.is_some() {
            self.die();
        }
        outcome
    }

    fn close(&self, call: &RawCall, descriptor: usize) -> isize {
        if self.watches(descriptor) {
            self.watched[descriptor].store(false, Ordering::Relaxed);
            self.note(Tag::Close, (descriptor as i32, 0), 0, [&[], &[]]);
        }
        make(call)
    }

    fn write(&self, call: &RawCall) -> isize {
        let [descriptor, pointer, length, position, _] = call.arguments;
        let said = descriptor == libc::STDOUT_FILENO as usize;
        if said {
            let outcome = make(call);
            self.note(Tag::Said, (1, 0), outcome, [bytes(pointer, length), &[]]);
            return outcome;
        }
        if !self.watches(descriptor) {
            return make(call);
        }
        let position = if call.number == libc::SYS_pwrite64 { position as i64 } else { NOWHERE };
        let half = RawCall { arguments: [descriptor, pointer, length / 2, call.arguments[3], 0], ..*call };
        let moment = self.kills();
        let outcome = match (moment, self.fails(Kind::Write)) {
            (Some(Moment::Before), _) => self.die(),
            (Some(Moment::Within), _) => {
                make(&half);
                self.die()
            }
            (_, Some(How::Error(errno))) => -(errno as isize),
            (_, Some(How::Short)) if length > 1 => make(&half),
            _ => make(call),
        };
        let written = bytes(pointer, outcome.max(0).unsigned_abs());
        self.note(Tag::Write, (descriptor as i32, position), outcome, [written, &[]]);
        if moment.is_some() {
            self.die();
        }
        outcome
    }

    fn named(&self, call: &RawCall, kind: Kind, tag: Tag, first: &[u8], second: &[u8]) -> isize {
        if !first.starts_with(&self.directory) {
            return make(call);
        }
        self.change(call, kind, tag, (0, 0), [first, second])
    }

    /// A call that is done whole or not at all.
    fn change(&self, call: &RawCall, kind: Kind, tag: Tag, numbers: (i32, i64), texts: [&[u8]; 2]) -> isize {
        let moment = self.kills();
        if matches!(moment, Some(Moment::Before | Moment::Within)) {
            self.die();
        }
        let outcome = match self.fails(kind) {
            Some(How::Error(errno)) => -(errno as isize),
            Some(How::Short) | None => make(call),
        };
        self.note(tag, numbers, outcome, texts);
        if moment.is_some() {
            self.die();
        }
        outcome
    }

    fn watches(&self, descriptor: usize) -> bool {
        self.watched.get(descriptor).is_some_and(|watched| watched.load(Ordering::Relaxed))
    }

    /// Counts a call that changes something.
    fn kills(&self) -> Option<Moment> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        match self.plan {
            Plan::Kill { at, moment } if at == number => Some(moment),
            _ => None,
        }
    }

    /// Counts a call of the kind that is to fail.
    fn fails(&self, kind: Kind) -> Option<How> {
        let Plan::Fail { fault, from, times } = self.plan else { return None };
        if fault.kind != kind {
            return None;
        }
        let number = self.of_the_kind.fetch_add(1, Ordering::Relaxed) + 1;
        (from..from + times).contains(&number).then_some(fault.how)
    }

    fn note(&self, tag: Tag, (number, position): (i32, i64), outcome: isize, [first, second]: [&[u8]; 2]) {
        let header = header(tag, number, position, outcome as i64, [first.len(), second.len()]);
        let part = |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let parts = [part(&header), part(first), part(second)];
        let length: usize = parts.iter().map(|part| part.iov_len).sum();
        // In one call, so that nobody is killed between the parts. It is not trapped.
        // SAFETY: The parts outlive the call, which only reads them.
        let written = unsafe { libc::writev(self.journal, parts.as_ptr(), parts.len() as c_int) };
        if written.unsigned_abs() != length {
            self.die();
        }
    }

    fn die(&self) -> ! {
        loop {
            // SAFETY: No memory is touched; this process ends.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    }
}
