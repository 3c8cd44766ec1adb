//! A copy of the store while it is in use, and what SQLite itself says of the file.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::{Mode, OFlags};
use secretkit_core::{Error, Result};
use secretkit_files::{Existing, NewFile, Put};

use crate::error::Named;
use crate::place::Place;
use crate::rows;

/// The beginning of the name that a backup has until it is whole.
pub(crate) const UNFINISHED: &str = ".secretkit-backup-";

/// The end of the name of the file that SQLite keeps beside one that it fills.
const JOURNAL: &str = "-journal";

/// Writes what the store holds now into a file at `target`.
pub(crate) fn write(connection: &Connection, source: &Place, target: &Place, existing: Existing) -> Result<()> {
    target.check_new()?;
    match (target.is_taken()?, existing) {
        (true, Existing::Refuse) => return Err(taken(target)),
        (true, Existing::Replace) if target.files().is_same_file(source.files()) => {
            let why = "is the store itself; name another file for the backup".to_owned();
            return Err(Error::UnsafeStore { store: target.to_string(), why });
        }
        _ => {}
    }
    // The log of a store that was there would be played into the copy.
    target.check_leftovers()?;
    let failed = |error| Error::file(target.directory(), error);
    let directory = File::open(target.directory()).map_err(failed)?;
    // Never waited for: whoever can read the directory can lock it for as long as they like.
    if directory.try_lock().is_ok() {
        clear_up(source, target);
        directory.unlock().map_err(failed)?;
    }
    let (copy, file) = begin(target)?;
    fill(connection, target, copy.unnamed())?;
    file.sync_all().map_err(failed)?;
    // The copy may have taken long, and somebody may have opened the file that it replaces.
    target.check_leftovers()?;
    if copy.put(existing)? == Put::Taken {
        return Err(taken(target));
    }
    drop(file);
    // Or have done so since. A log of the new file is taken for one of the old, in a moment when hardly anybody looks.
    target.check_leftovers()
}

/// An empty file under a name of its own, locked until the end. The system gives the lock up even if the process is
/// killed: by this the next one tells what is left over.
fn begin(target: &Place) -> Result<(NewFile, File)> {
    let failed = |error| Error::file(target.directory(), error);
    // Between its making and its lock, it looks like one that was left over, and whoever clears up may remove it.
    for _ in 0..100 {
        // SQLite fills an empty file and keeps its mode.
        let (copy, file) = NewFile::begin(target.path(), UNFINISHED)?;
        file.lock().map_err(failed)?;
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let locked = file.metadata().map(identity).map_err(failed)?;
        if copy.unnamed().symlink_metadata().is_ok_and(|metadata| identity(metadata) == locked) {
            return Ok((copy, file));
        }
    }
    Err(Error::Busy { store: target.to_string() })
}

/// One statement reads one state of the store, however long it takes; writers go on.
fn fill(connection: &Connection, target: &Place, copy: &Path) -> Result<()> {
    let not_text = || Error::file(target.path(), std::io::ErrorKind::InvalidFilename);
    let path = copy.to_str().ok_or_else(not_text)?;
    // A connection for reading refuses to write anywhere, even into another file.
    connection.pragma_update(None, "query_only", false).at(target)?;
    let outcome = connection.execute("VACUUM INTO ?1", [path]).at(target).map(drop);
    connection.pragma_update(None, "query_only", true).at(target)?;
    outcome
}

/// Removes what backups into this directory that were killed have left. Whatever cannot be removed is no concern of
/// this one.
fn clear_up(source: &Place, target: &Place) {
    let Ok(entries) = std::fs::read_dir(target.directory()) else { return };
    let mut unfinished: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_unfinished(path)).collect();
    unfinished.sort();
    for path in unfinished {
        if path != source.path() {
            remove_left_over(&path);
        }
    }
}

/// Whether this is the name of a copy that is not whole, or of SQLite's own file beside one.
fn is_unfinished(path: &Path) -> bool {
    let random = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(UNFINISHED));
    random.map(|random| random.strip_suffix(JOURNAL).unwrap_or(random)).is_some_and(|random| {
        random.len() == NewFile::RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Removes it where nobody is at work on it any more.
///
/// Only a file of our own under this one name is ever opened: to open and close the live store, through a link that
/// somebody put here, would drop the locks that SQLite holds on it in this process.
fn remove_left_over(path: &Path) {
    let is_ours = |metadata: Metadata| {
        metadata.is_file() && metadata.nlink() == 1 && metadata.uid() == rustix::process::geteuid().as_raw()
    };
    if !path.symlink_metadata().is_ok_and(is_ours) {
        return;
    }
    if let Some(of) = path.to_str().and_then(|path| path.strip_suffix(JOURNAL)) {
        if Path::new(of).symlink_metadata().is_err() {
            let _ = std::fs::remove_file(path);
        }
        return;
    }
    // A pipe that took its place meanwhile would be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return };
    // Locked until it is gone, so that whoever has just made it waits and sees that.
    if file.metadata().is_ok_and(is_ours) && file.try_lock().is_ok() {
        let _ = std::fs::remove_file(path);
    }
}

fn taken(target: &Place) -> Error {
    Error::file(target.path(), std::io::ErrorKind::AlreadyExists)
}

/// What SQLite finds to be wrong with the file; nothing where all is well.
pub(crate) fn examine(connection: &Connection, place: &Place) -> Result<Vec<String>> {
    let outcome = integrity(connection);
    match outcome.at(place) {
        // A page that cannot be read at all is a finding too.
        Err(Error::Corrupt { what }) => Ok(vec![format!("{what} cannot be read as a database")]),
        outcome => outcome,
    }
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let lines = |sql: &str, line: fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>| {
        connection.prepare(sql)?.query_map((), line)?.collect::<rusqlite::Result<Vec<_>>>()
    };
    let mut found = lines("PRAGMA integrity_check", |row| row.get(0))?;
    found.retain(|line| line != "ok");
    found.extend(lines("PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} belongs to none of {parent}"))
    })?);
    // No keyring, no look at what is sealed under it: nothing else would find these.
    let mut statement = connection.prepare("SELECT DISTINCT org, org IN (SELECT org FROM keyring) FROM secrets")?;
    let mut owners = statement.query(())?;
    while let Some(owner) = owners.next()? {
        match (rows::of(owner).org(), owner.get(1)?) {
            (None, _) => found.push("an org that has no valid name has secrets".to_owned()),
            (Some(org), false) => found.push(format!("org {org} has secrets, and its keyring is gone")),
            (Some(_), true) => {}
        }
    }
    Ok(found)
}
