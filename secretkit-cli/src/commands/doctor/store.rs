//! The store's file and the place where it lies.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secretkit::{Error, PostgresStore, SqliteStore, StoreUrl};

use super::Check;
use crate::commands::Session;

/// What the other checks need to know.
pub(super) struct State {
    /// The store's file, wherever it is or will be.
    pub(super) path: Option<PathBuf>,
    pub(super) contents: Contents,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Contents {
    /// There is no store, or nothing in it.
    None,
    Some,
    /// It could not be opened.
    Unknown,
}

pub(super) fn check(session: &Session, checks: &mut Vec<Check>) -> State {
    let path = match session.settings.store_url() {
        Ok(StoreUrl::Sqlite(path)) => path,
        Ok(other) => {
            checks.push(Check::secure("store", other.to_string()));
            return State { path: None, contents: check_from_outside(&other, checks) };
        }
        Err(error) => {
            checks.push(Check::insecure("store", error.to_string(), "name a store of your own with --store"));
            return State { path: None, contents: Contents::Unknown };
        }
    };
    let contents = match SqliteStore::open(&path) {
        Ok(store) => {
            checks.push(Check::secure("store", format!("{}: {}", path.display(), owner_and_mode(&path))));
            match store.is_empty() {
                Ok(true) => Contents::None,
                Ok(false) => Contents::Some,
                Err(_) => Contents::Unknown,
            }
        }
        Err(Error::NoStore { .. }) => {
            checks.push(Check::secure("store", format!("{}: none yet, the first write makes it", path.display())));
            Contents::None
        }
        Err(error) => {
            // The error of an unsafe store says what to do.
            checks.push(Check::insecure(
                "store",
                error.to_string(),
                "put that right; nothing is read or written before",
            ));
            Contents::Unknown
        }
    };
    if let Some(directory) = path.ancestors().skip(1).find(|directory| directory.is_dir()) {
        check_directory(&path, directory, checks);
        check_file_system(directory, checks);
        check_leftovers(directory, checks);
    }
    State { path: Some(path), contents }
}

/// A store that is no file.
fn check_from_outside(url: &StoreUrl, checks: &mut Vec<Check>) -> Contents {
    match url.examine() {
        Ok(found) => checks.extend(found.into_iter().map(Check::from)),
        Err(error) => {
            checks.push(Check::insecure(
                "server",
                error.to_string(),
                "put that right; nothing is read or written before",
            ));
            return Contents::Unknown;
        }
    }
    let StoreUrl::Postgres(url) = url else { return Contents::Unknown };
    match PostgresStore::open(url).and_then(|store| store.is_empty()) {
        Ok(true) | Err(Error::NoStore { .. }) => Contents::None,
        Ok(false) => Contents::Some,
        Err(_) => Contents::Unknown,
    }
}

/// Rates by what a store is refused for.
fn check_directory(path: &Path, directory: &Path, checks: &mut Vec<Check>) {
    const CHECK: &str = "directory";
    let finding = format!("{}: {}", directory.display(), owner_and_mode(directory));
    checks.push(match SqliteStore::check_directory(path) {
        Ok(()) => Check::secure(CHECK, finding),
        Err(error) => {
            Check::insecure(CHECK, format!("{finding}; {error}"), "put that right; nothing is read or written before")
        }
    });
}

pub(super) fn owner_and_mode(path: &Path) -> String {
    let Ok(metadata) = path.metadata() else { return "cannot be looked at".to_owned() };
    let owner = match metadata.uid() {
        uid if uid == rustix::process::geteuid().as_raw() => "yours".to_owned(),
        0 => "root's".to_owned(),
        uid => format!("of user {uid}"),
    };
    format!("mode {:03o}, {owner}", metadata.mode() & 0o7777)
}

fn check_file_system(directory: &Path, checks: &mut Vec<Check>) {
    const CHECK: &str = "file system";
    checks.push(match file_system(directory) {
        Some(kind @ ("tmpfs" | "ramfs")) => Check::weak(
            CHECK,
            format!("{kind}: the store is gone after a restart"),
            "keep it on a disk, unless that is what you want",
        ),
        Some(kind @ "FUSE") => Check::weak(
            CHECK,
            format!("{kind}: whether it is local cannot be told"),
            "make sure that no other machine writes there; SQLite's locks reach one machine only",
        ),
        Some(kind) => Check::secure(CHECK, kind),
        None => Check::secure(CHECK, "local"),
    });
}

/// What kind of file system it is, where it is one of the usual ones.
#[cfg(target_os = "linux")]
pub(super) fn file_system(path: &Path) -> Option<&'static str> {
    // Of the word, whose width depends on the machine, only these 32 bits are ever used.
    match rustix::fs::statfs(path).ok()?.f_type as u64 & 0xffff_ffff {
        0xef53 => Some("ext4"),
        0x5846_5342 => Some("XFS"),
        0x9123_683e => Some("Btrfs"),
        0x2fc1_2fc1 => Some("ZFS"),
        0xf2f5_2010 => Some("F2FS"),
        0x794c_7630 => Some("overlay"),
        0x0102_1994 => Some("tmpfs"),
        0x8584_58f6 => Some("ramfs"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn file_system(_path: &Path) -> Option<&'static str> {
    None
}

/// What a command that was killed may leave beside a store.
const UNFINISHED: [&str; 2] = [".secretkit-new-", ".secretkit-backup-"];

fn check_leftovers(directory: &Path, checks: &mut Vec<Check>) {
    let found = beginning_with(directory, &UNFINISHED);
    if let Some(first) = found.first() {
        let finding = format!("{} of commands that were killed, such as {}", counted(found.len()), first.display());
        checks.push(Check::weak("left-overs", finding, "remove them, unless a backup is being made now"));
    }
}

pub(super) fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// The files in a directory whose names begin with one of these.
pub(super) fn beginning_with(directory: &Path, beginnings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = directory.read_dir() else { return Vec::new() };
    let is_one = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    found
}
