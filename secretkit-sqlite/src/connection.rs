//! One connection, opened so that neither a crash nor a hostile file gets far.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use secretkit_core::store::StoreInfo;
use secretkit_core::{Error, Result};

use crate::error::{self, Named, cannot_open};
use crate::place::Place;
use crate::schema;

/// How long a writer waits for the others, and a reader for a recovery.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it sleeps before it asks again, at first; up to twenty times that later.
const PAUSE: Duration = Duration::from_micros(100);

/// A connection, with what the store behind it was born with.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) info: StoreInfo,
    pub(crate) life: Life,
}

/// How long what a connection has seen stays true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    /// It sees every commit: it takes part in the locking.
    Live,
    /// It sees the file as it is now and takes no lock, because it cannot.
    Frozen,
}

/// For reading. The file and its place are judged anew, because another may stand there by now.
///
/// A write-ahead log is read with the help of a file beside it. Where that cannot be made, because the file system or
/// the directory is read-only, the main file alone is the store, as long as there is no log. Somebody else may be able
/// to write there all the same; so such a connection is good for one call, and the next one looks again.
pub(crate) fn open_reader(place: &Place) -> Result<Opened> {
    in_a_safe_place(place, || open_reader_there(place))
}

fn open_reader_there(place: &Place) -> Result<Opened> {
    match open_live_reader(place) {
        Ok(Ok((connection, info))) => Ok(Opened { connection, info, life: Life::Live }),
        Ok(Err(_)) if place.has_log() => {
            let why = "has changes in its -wal file, which cannot be read in a read-only place; \
                       copy the store with its -wal file to one that can be written";
            Err(Error::UnsafeStore { store: place.to_string(), why: why.to_owned() })
        }
        Ok(Err(_)) => {
            let connection = open(frozen_uri(place), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
                .and_then(|connection| configured(connection, READER))
                .at(place)?;
            let info = schema::judge(&connection, place)?;
            Ok(Opened { connection, info, life: Life::Frozen })
        }
        Err(error) => Err(error),
    }
}

/// The inner error is SQLite's, that it could not open a file it needs.
fn open_live_reader(place: &Place) -> Result<rusqlite::Result<(Connection, StoreInfo)>> {
    let attempt = || {
        let connection = configured(open(place.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?, READER)?;
        // The first look into the file, and so at its log.
        connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
        Ok(connection)
    };
    match attempt() {
        Ok(connection) => schema::judge(&connection, place).map(|info| Ok((connection, info))),
        Err(error) if cannot_open(&error) => Ok(Err(error)),
        Err(error) => Err(error).at(place),
    }
}

/// Judges the place before anything in it is opened, and again after: SQLite takes up what stands beside the file, and
/// says of nothing who made it.
fn in_a_safe_place(place: &Place, open: impl FnOnce() -> Result<Opened>) -> Result<Opened> {
    place.check()?;
    // What was said there is no word on what SQLite does.
    error::begin();
    let opened = open()?;
    match place.check() {
        Ok(()) => Ok(opened),
        Err(error) => {
            abandon(opened.connection);
            Err(error)
        }
    }
}

/// For writing to a store that exists. Its place is judged anew.
///
/// # Errors
/// [`Error::ReadOnly`] where the file cannot be written.
pub(crate) fn open_writer(place: &Place) -> Result<Opened> {
    in_a_safe_place(place, || open_writer_there(place))
}

fn open_writer_there(place: &Place) -> Result<Opened> {
    let connection = open(place.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).at(place)?;
    if connection.is_readonly("main").at(place)? {
        return Err(error::read_only(place));
    }
    let connection = match configured(connection, WRITER) {
        // The file can be written, but not its directory.
        Err(error) if cannot_open(&error) => return Err(Error::ReadOnly { store: place.to_string() }),
        outcome => outcome.at(place)?,
    };
    // It answers with the mode that it takes, and says no in no other way. Only this one syncs each commit by itself.
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    match mode {
        Ok(mode) if mode == "wal" => {}
        Err(error) if cannot_open(&error) => return Err(Error::ReadOnly { store: place.to_string() }),
        Ok(_) => {
            let why = "is in a place where SQLite can keep no write-ahead log; move it to a local disk".to_owned();
            return Err(Error::UnsafeStore { store: place.to_string(), why });
        }
        Err(error) => return Err(error).at(place),
    }
    let info = schema::judge(&connection, place)?;
    Ok(Opened { connection, info, life: Life::Live })
}

/// Writes the whole log back into the main file, flushes that, and begins the log anew. Says whether nobody was in the
/// way.
pub(crate) fn write_back(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0).map(|busy| busy == 0))
}

/// As [`write_back`], where that waits for nobody.
pub(crate) fn write_back_at_once(connection: &mut Connection) -> rusqlite::Result<bool> {
    connection.busy_handler(None::<fn(i32) -> bool>)?;
    let outcome = write_back(connection);
    connection.busy_handler(Some(patience()))?;
    outcome
}

/// Closes a connection that may have another file's log, and must not write that back.
pub(crate) fn abandon(connection: Connection) {
    // It fails only for a connection that is closed.
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// For filling an empty file that nobody else knows yet.
pub(crate) fn open_new(place: &Place) -> Result<Connection> {
    open(place.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| configured(connection, NEW)).at(place)
}

fn open(path: impl AsRef<std::path::Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is used by one thread at a time; no link is followed; and no flag ever creates the file.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(patience()))?;
    Ok(connection)
}

/// From now on it waits neither for a lock nor for the disk. What it commits never harms what others did, but may be
/// lost.
pub(crate) fn hurry(connection: &mut Connection, place: &Place) -> Result<()> {
    connection.busy_handler(None::<fn(i32) -> bool>).at(place)?;
    connection.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0").at(place)
}

/// The end of [`hurry`].
pub(crate) fn take_time(connection: &mut Connection, place: &Place) -> Result<()> {
    connection.execute_batch("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000").at(place)?;
    connection.busy_handler(Some(patience())).at(place)
}

/// Waits for whoever holds a lock. SQLite's own handler sleeps for up to a tenth of a second, while the lock changes
/// hands a hundred times; with many writers, that is how some of them starve.
fn patience() -> impl FnMut(i32) -> bool + Send {
    let mut since = Instant::now();
    move |asked| {
        if asked == 0 {
            since = Instant::now();
        }
        std::thread::sleep(PAUSE * asked.clamp(1, 20).unsigned_abs());
        since.elapsed() < BUSY_TIMEOUT
    }
}

fn configured(connection: Connection, pragmas: &str) -> rusqlite::Result<Connection> {
    // A schema of somebody else's runs nothing, and no statement of ours can break the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.execute_batch(pragmas)?;
    Ok(connection)
}

/// What every connection does.
macro_rules! careful {
    ($($pragma:literal),*) => {
        concat!(
            // A damaged page is an error and not a wild read,
            "PRAGMA cell_size_check=ON;",
            // and a page is read into memory of our own, which nobody cuts off under us.
            "PRAGMA mmap_size=0;",
            // A flush reaches the disk's platters, also where that takes a word of its own (macOS).
            "PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON;",
            // A reader may be the last to close, and so the one that writes the log back.
            "PRAGMA synchronous=FULL;",
            $("PRAGMA ", $pragma, ";"),*
        )
    };
}

// A thousand secrets in use stay at hand, however far apart they lie in a large store; taken only as it is used.
const READER: &str = careful!("query_only=ON", "cache_size=-16384");
const WRITER: &str = careful!("foreign_keys=ON", "secure_delete=ON");
const NEW: &str = careful!("secure_delete=ON");

/// Bytes that a URI gives a meaning are written as `%xx`.
fn frozen_uri(place: &Place) -> String {
    let mut uri = String::from("file:");
    for &byte in place.path().as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}
