//! Files: a directory of its own for each task, in memory where the system has such a place, gone when the task ends.
//!
//! Every step below the first directory goes through a descriptor and follows no link, so that whoever may write to
//! the place where that directory stands can neither redirect a write nor a removal.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::part::Part;
use crate::seal::random;
use crate::value::SecretValue;

/// A directory with one task's files.
///
/// `BASE/secretkit-UID/task-…/N/NAME`, directories 0700, files 0400. It holds a lock for as long as it lives, by which
/// the next one tells a task that died from one that runs, and clears up after it. Only the process that made it
/// removes it: a child that inherited it by `fork` does not.
#[derive(Debug)]
pub struct FileMount {
    home: OwnedFd,
    directory: OwnedFd,
    name: String,
    path: PathBuf,
    count: u32,
    /// Held, and given up by the system even if the process is killed.
    _lock: File,
    made_by: u32,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const LOCK_FILE: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const LOCK: &str = "lock";

impl FileMount {
    /// A new, empty one in the first of these places that can be used.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Undeliverable`] of the last, where none can be used.
    pub fn create(bases: &[PathBuf]) -> Result<Self> {
        let mut outcome = Err(Error::Undeliverable { what: "files".to_owned(), why: "there is no place for them" });
        for base in bases {
            outcome = Self::create_in(base);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn create_in(base: &Path) -> Result<Self> {
        let home_path = base.join(format!("secretkit-{}", rustix::process::geteuid().as_raw()));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |errno: Errno| Error::file(&path, errno)
        };
        match rustix::fs::mkdir(&home_path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::file(&home_path, errno)),
        }
        let home = rustix::fs::open(&home_path, DIRECTORY, Mode::empty()).map_err(failed(&home_path))?;
        let stat = rustix::fs::fstat(&home).map_err(failed(&home_path))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() || Mode::from_raw_mode(stat.st_mode).bits() & 0o077 != 0 {
            let why = "its directory for secret files belongs to another user or is open to others; remove it";
            return Err(Error::Undeliverable { what: format!("files in {}", home_path.display()), why });
        }
        let gate = Gate::pass(home.as_fd()).map_err(|source| Error::file(&home_path, source))?;
        clear_up(home.as_fd());
        let name = format!("task-{:016x}", u64::from_be_bytes(random()?));
        let path = home_path.join(&name);
        rustix::fs::mkdirat(&home, &name, Mode::RWXU).map_err(failed(&path))?;
        let directory = rustix::fs::openat(&home, &name, DIRECTORY, Mode::empty()).map_err(failed(&path))?;
        let lock = open_lock(directory.as_fd()).map_err(failed(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(source) => Error::file(&path, source),
            TryLockError::WouldBlock => Error::file(&path, Errno::WOULDBLOCK),
        })?;
        drop(gate);
        Ok(Self { home, directory, name, path, count: 0, _lock: lock, made_by: std::process::id() })
    }

    /// Writes a value into a new file called `name`, in a numbered directory of its own, and returns its path.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&mut self, name: &Part, value: &SecretValue) -> Result<PathBuf> {
        let number = self.count.to_string();
        let path = self.path.join(&number).join(name.as_str());
        let failed = |errno: Errno| Error::file(&path, errno);
        rustix::fs::mkdirat(&self.directory, &number, Mode::RWXU).map_err(failed)?;
        self.count += 1;
        let directory = rustix::fs::openat(&self.directory, &number, DIRECTORY, Mode::empty()).map_err(failed)?;
        let file = rustix::fs::openat(&directory, name.as_str(), NEW_FILE, Mode::RUSR).map_err(failed)?;
        File::from(file).write_all(value.expose_secret()).map_err(|source| Error::file(&path, source))?;
        Ok(path)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it now, and says whether that worked; dropping does the same without a word.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn close(mut self) -> Result<()> {
        self.remove().map_err(|errno| Error::file(&self.path, errno))
    }

    fn remove(&mut self) -> Result<(), Errno> {
        if std::process::id() != self.made_by {
            return Ok(());
        }
        // Files must go even where the gate stays shut; then somebody clearing up may meet us, and that does no harm.
        let _gate = Gate::pass(self.home.as_fd());
        remove_tree(self.home.as_fd(), &self.name)
    }
}

impl Drop for FileMount {
    fn drop(&mut self) {
        // Whatever is left, the next mount clears up.
        let _ = self.remove();
    }
}

/// Whoever is inside is alone in making, removing and clearing up: nobody meets a directory without its lock.
struct Gate(File);

impl Gate {
    /// Waits for a moment only: a process that was stopped inside must not stop every other.
    fn pass(home: impl AsFd) -> std::io::Result<Self> {
        Self::pass_before(Instant::now() + Duration::from_secs(5), home)
    }

    fn pass_before(deadline: Instant, home: impl AsFd) -> std::io::Result<Self> {
        let lock = open_lock(home)?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self(lock)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "another process holds its lock"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// Not by closing alone: a child that was forked meanwhile has the same open file, and would keep the lock.
impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Removes what tasks left that were killed: their locks are free. One that cannot be removed is the next one's.
fn clear_up(home: impl AsFd) {
    let Ok(entries) = Dir::read_from(&home) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_bytes().starts_with(b"task-") {
            continue;
        }
        let Ok(directory) = rustix::fs::openat(&home, name, DIRECTORY, Mode::empty()) else { continue };
        let Ok(lock) = open_lock(directory.as_fd()) else { continue };
        if lock.try_lock().is_ok() {
            let _ = remove_tree(home.as_fd(), name);
        }
    }
}

fn open_lock(directory: impl AsFd) -> Result<File, Errno> {
    rustix::fs::openat(directory, LOCK, LOCK_FILE, Mode::RUSR.union(Mode::WUSR)).map(File::from)
}

fn remove_tree(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<(), Errno> {
    let directory = match rustix::fs::openat(&parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        outcome => outcome?,
    };
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        match (entry.file_name().to_bytes(), entry.file_type()) {
            (b"." | b"..", _) => {}
            (_, FileType::Directory) => remove_tree(directory.as_fd(), entry.file_name())?,
            _ => gone(rustix::fs::unlinkat(&directory, entry.file_name(), AtFlags::empty()))?,
        }
    }
    gone(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR))
}

/// What somebody else has removed meanwhile is removed.
fn gone(outcome: Result<(), Errno>) -> Result<(), Errno> {
    match outcome {
        Err(Errno::NOENT) => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let home = File::open(directory.path()).unwrap();
        (directory, home)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn whoever_waits_at_the_gate_passes_when_it_opens_and_gives_up_when_it_stays_shut() {
        let (_directory, home) = home();
        let inside = Gate::pass(&home).unwrap();
        let gave_up = Gate::pass_before(soon(), &home).err().unwrap();
        assert_eq!(gave_up.kind(), std::io::ErrorKind::TimedOut);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                drop(inside);
            });
            Gate::pass(&home).unwrap();
        });
    }

    #[test]
    fn the_gate_opens_though_a_child_that_was_forked_inside_has_it_still() {
        let (_directory, home) = home();
        let inside = Gate::pass(&home).unwrap();
        let of_the_child = inside.0.try_clone().unwrap();
        drop(inside);
        Gate::pass_before(soon(), &home).unwrap();
        drop(of_the_child);
    }

    #[test]
    fn what_was_gone_already_is_removed_and_what_stays_is_not() {
        assert_eq!(gone(Err(Errno::NOENT)), Ok(()));
        assert_eq!(gone(Err(Errno::BUSY)), Err(Errno::BUSY));
    }
}
