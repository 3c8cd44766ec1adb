//! Where the store's file is, and whether that is a safe place.
//!
//! Everything here asks about names and never opens the file: a plain open and close of a live database drops the
//! locks that SQLite holds on it in this process.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secretkit_core::{Error, Result};
use secretkit_files::directory_of;

use crate::backup::UNFINISHED;
use crate::way;

/// The absolute path of a store's file. Its directory exists and has no symbolic link in its path.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// The place of a store that is to be read; its directory must be there.
    ///
    /// # Errors
    /// [`Error::NoStore`], [`Error::File`].
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        match directory_of(path).canonicalize() {
            Ok(directory) => Self::in_directory(&directory, path),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(no_store(path)),
            Err(error) => Err(Error::file(directory_of(path), error)),
        }
    }

    /// The place of a store that may be new; its directory is made, for its owner alone, where there is none.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`], [`Error::File`].
    pub(crate) fn prepared(path: &Path) -> Result<Self> {
        let directory = directory_of(path);
        let failed = |error| Error::file(directory, error);
        way::make(directory)?;
        Self::in_directory(&directory.canonicalize().map_err(failed)?, path)
    }

    /// The place of a copy; its directory must be there.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn beside_others(path: &Path) -> Result<Self> {
        let directory = directory_of(path).canonicalize().map_err(|error| Error::file(directory_of(path), error))?;
        Self::in_directory(&directory, path)
    }

    /// Whether a file stands here; refuses one that no store could be.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`], [`Error::File`].
    pub(crate) fn is_taken(&self) -> Result<bool> {
        check_file(&self.0)
    }

    fn in_directory(directory: &Path, path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::file(path, rustix::io::Errno::ISDIR))?;
        Ok(Self(directory.join(name)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn directory(&self) -> &Path {
        directory_of(&self.0)
    }

    /// Whether a store can be here: refuses what is no safe place or no safe file.
    ///
    /// # Errors
    /// [`Error::NoStore`] where there is no file, [`Error::UnsafeStore`], [`Error::File`].
    pub(crate) fn check(&self) -> Result<()> {
        check_file(&self.0)?.then_some(()).ok_or_else(|| no_store(&self.0))?;
        self.check_names()?;
        for suffix in COMPANIONS {
            check_file(&self.companion(suffix))?;
        }
        if let Some(other) = self.is_companion_of().filter(|other| other.symlink_metadata().is_ok()) {
            return Err(of_another(&self.0, &other));
        }
        self.check_directory()?;
        check_file_system(&self.0)
    }

    /// Whether a store can be made here.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`], [`Error::File`].
    pub(crate) fn check_new(&self) -> Result<()> {
        // Also where there is no other yet: once there is, SQLite plays this into it or removes it.
        if let Some(other) = self.is_companion_of() {
            return Err(of_another(&self.0, &other));
        }
        if self.0.file_name().is_some_and(|name| name.as_bytes().starts_with(UNFINISHED.as_bytes())) {
            let why =
                "has a name that backups have until they are whole, and would be removed by the next; choose another";
            return Err(unsafe_store(&self.0, why));
        }
        self.check_directory()
    }

    /// Refuses a file that has two names: under each, SQLite keeps a log of its own, which knows nothing of the other.
    fn check_names(&self) -> Result<()> {
        let has_more = || self.0.symlink_metadata().is_ok_and(|metadata| metadata.nlink() > 1);
        // Where a file system cannot rename without replacing, a new store has its old name for a moment more.
        for pause in [0, 1, 10, 100] {
            std::thread::sleep(Duration::from_millis(pause));
            if !has_more() {
                return Ok(());
            }
        }
        let why = "has another name too (a hard link), and what is written under one of them is lost under the other; \
                   remove that name, or copy the file while nobody uses it, and use the copy";
        Err(unsafe_store(&self.0, why))
    }

    /// Whether the directory is one where a store may be.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`], [`Error::File`].
    pub(crate) fn check_directory(&self) -> Result<()> {
        let directory = self.directory();
        let metadata = directory.metadata().map_err(|error| Error::file(directory, error))?;
        // Whoever may write there may put another file in the store's place. Where the sticky bit forbids that, they may
        // still make the log, which SQLite then takes for the store's own.
        if metadata.mode() & 0o022 != 0 {
            let (why, what) = match metadata.mode() & 0o1000 {
                0 => (
                    "can be replaced by others",
                    "run chmod go-w on the directory, or keep the store in one of its own",
                ),
                _ => ("can be given a log by others", "make a directory of your own for the store, with mkdir -m 700"),
            };
            let why = format!("{why}, because its group or everybody can write to its directory; {what}");
            return Err(unsafe_store(&self.0, &why));
        }
        way::check(directory, &self.0)?;
        check_file_system(directory)
    }

    /// Refuses what a store that is gone has left: its log would be played into the new file.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`].
    pub(crate) fn check_leftovers(&self) -> Result<()> {
        let left = COMPANIONS.iter().map(|suffix| self.companion(suffix)).find(|path| path.symlink_metadata().is_ok());
        match left {
            Some(path) => Err(unsafe_store(&path, "is left over from a store that is gone; move it away first")),
            None => Ok(()),
        }
    }

    /// Refuses a file that was put here in place of the one `before`, and beside which that one's log was left: SQLite
    /// would play that into the file that stands here `now`.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`].
    pub(crate) fn check_replaced(&self, now: Files, before: Files) -> Result<()> {
        if now.main.is_none() || now.main == before.main {
            return Ok(());
        }
        // Who opens the file of now makes a log first, and then the shared memory: one alone was left behind.
        let has_memory = || self.companion(MEMORY).symlink_metadata().is_ok();
        let left = match now.log {
            Some(_) if now.log == before.log => LOG,
            None if has_memory() => MEMORY,
            _ => return Ok(()),
        };
        let why = format!(
            "belongs to the file that stood at {self} before, and would damage the one that stands there now; \
             move it away, or put that file back"
        );
        Err(unsafe_store(&self.companion(left), &why))
    }

    /// Which files stand here now, told without opening them.
    pub(crate) fn files(&self) -> Files {
        let identity = |path: &Path| path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
        Files { main: identity(&self.0), log: identity(&self.companion(LOG)) }
    }

    /// The same where a store is, also one that somebody has just made.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), where nothing stands here.
    pub(crate) fn files_of_store(&self) -> Result<Files> {
        let files = self.files();
        if files.main.is_some() {
            return Ok(files);
        }
        self.check()?;
        Ok(self.files())
    }

    /// Whether the write-ahead log holds changes that are not in the main file.
    pub(crate) fn has_log(&self) -> bool {
        self.companion(LOG).symlink_metadata().is_ok_and(|metadata| metadata.len() > 0)
    }

    /// The file that SQLite keeps beside the main one under this suffix.
    fn companion(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.0);
        name.push(suffix);
        name.into()
    }

    /// The file beside which SQLite would keep one of this name. Some file systems take great letters for small ones.
    fn is_companion_of(&self) -> Option<PathBuf> {
        let name = self.0.file_name()?.as_bytes();
        let of = |suffix: &&str| {
            let (of, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
            (!of.is_empty() && end.eq_ignore_ascii_case(suffix.as_bytes())).then_some(of)
        };
        COMPANIONS.iter().find_map(of).map(|of| self.0.with_file_name(OsStr::from_bytes(of)))
    }
}

/// Which files stand at a place: device and number of each that is there.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Files {
    main: Option<(u64, u64)>,
    log: Option<(u64, u64)>,
}

impl Files {
    /// Whether these are other files than `before`. A log that is there by now, and was not, is no other one.
    pub(crate) fn differ_from(self, before: Self) -> bool {
        self.main != before.main || before.log.is_some() && self.log != before.log
    }

    /// Whether the main file of both is one and the same.
    pub(crate) fn is_same_file(self, other: Self) -> bool {
        self.main.is_some() && self.main == other.main
    }

    /// Takes note of the log that is there `now`.
    pub(crate) const fn learn(&mut self, now: Self) {
        if self.log.is_none() {
            self.log = now.log;
        }
    }

    pub(crate) const fn has_no_log(self) -> bool {
        self.log.is_none()
    }
}

/// As errors name the store.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

const LOG: &str = "-wal";
const MEMORY: &str = "-shm";
const COMPANIONS: [&str; 3] = [LOG, MEMORY, "-journal"];

/// Whether there is a file; refuses one that others could read or have put there.
fn check_file(path: &Path) -> Result<bool> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(false),
        Err(error) => return Err(Error::file(path, error)),
    };
    if metadata.is_symlink() {
        return Err(unsafe_store(path, "is a symbolic link; name the file itself"));
    }
    if metadata.is_dir() {
        return Err(Error::file(path, rustix::io::Errno::ISDIR));
    }
    if !metadata.is_file() {
        return Err(unsafe_store(path, "is no regular file"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() && metadata.uid() != 0 {
        return Err(unsafe_store(path, "belongs to another user; make it your own with chown"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(unsafe_store(path, "can be read or written by others; run chmod 600 on it"));
    }
    Ok(true)
}

/// Refuses a file system on which locks or shared memory reach one machine only, while others write as well.
fn check_file_system(path: &Path) -> Result<()> {
    let status = rustix::fs::statfs(path).map_err(|errno| Error::file(path, errno))?;
    match network_file_system(&status) {
        None => Ok(()),
        Some(name) => {
            let why = format!(
                "is on a network file system ({name}), where SQLite's locks cannot be trusted; \
                 move it to a local disk, or use a PostgreSQL store for several machines"
            );
            Err(Error::UnsafeStore { store: path.display().to_string(), why })
        }
    }
}

/// The name of the network file system; `None` for a local one. What FUSE mounts is taken for local, because it
/// mostly is and does not say.
#[cfg(target_os = "linux")]
fn network_file_system(status: &rustix::fs::StatFs) -> Option<&'static str> {
    // Of the word, whose width depends on the machine, only these 32 bits are ever used.
    match status.f_type as u64 & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("SMB"),
        0x0102_1997 => Some("9p"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x7461_636f => Some("OCFS2"),
        0x0116_1970 => Some("GFS2"),
        0x1983_0326 => Some("BeeGFS"),
        0xaad7_aaea => Some("PanFS"),
        0xbeef_dead => Some("StorNext"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(status: &rustix::fs::StatFs) -> Option<&'static str> {
    /// `MNT_LOCAL` of `sys/mount.h`: the file system is stored locally.
    const LOCAL: u32 = 0x1000;
    (status.f_flags & LOCAL == 0).then_some("not local")
}

fn no_store(path: &Path) -> Error {
    Error::NoStore { store: path.display().to_string() }
}

fn of_another(path: &Path, other: &Path) -> Error {
    let why = format!(
        "has a name that SQLite uses for its own files beside {}, where it would be lost; choose another name",
        other.display()
    );
    unsafe_store(path, &why)
}

pub(crate) fn unsafe_store(path: &Path, why: &str) -> Error {
    Error::UnsafeStore { store: path.display().to_string(), why: why.to_owned() }
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        let directory = tempfile::tempdir().unwrap();
        let mut status = rustix::fs::statfs(directory.path()).unwrap();
        let mut named = |number: u32| {
            status.f_type = number.into();
            network_file_system(&status)
        };
        let known = [
            (0x6969, "NFS"),
            (0xff53_4d42, "SMB"),
            (0x0bd0_0bd0, "Lustre"),
            (0x4750_4653, "GPFS"),
            (0x1983_0326, "BeeGFS"),
            (0xaad7_aaea, "PanFS"),
            (0xbeef_dead, "StorNext"),
        ];
        for (number, name) in known {
            assert_eq!(named(number), Some(name));
        }
        let (ext4, tmpfs, fuse) = (0xef53, 0x0102_1994, 0x6573_5546);
        assert_eq!([ext4, tmpfs, fuse].map(named), [None; 3]);
    }
}
