//! The connections of one process: some readers, one writer, each opened when it is first needed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::Connection;
use secretkit_core::store::StoreInfo;
use secretkit_core::{Error, Result};

use crate::connection::{self, Life, Opened};
use crate::error::{self, Named};
use crate::fork;
use crate::place::Place;
use crate::watch::Watch;

/// The connections of one process to one store. Whoever uses them is inside the gate of [`fork`].
pub(crate) struct Connections {
    place: Place,
    info: StoreInfo,
    readers: Mutex<Readers>,
    reader_returned: Condvar,
    writer: Mutex<Writer>,
    watch: Watch,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    at_work: usize,
    /// Counts how often all connections were closed: one that was at work meanwhile is not idle again.
    epoch: u64,
    /// Threads that wait for their turn; to wake nobody costs a call of the system, too.
    waiting: usize,
}

#[derive(Default)]
struct Writer {
    /// `None` until it is opened.
    connection: Option<Connection>,
    /// How often other files had been found when it was opened.
    moves: u64,
    log: Log,
}

/// What is known of what stands in the log.
///
/// Where a flush fails, nobody knows what of it would outlive a power cut, however often it is flushed again; and what
/// is committed behind it lives no longer than it does. Once it is written back, that is no matter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Log {
    /// It may have been left by somebody who was killed, or whose disk failed.
    #[default]
    Unseen,
    /// All that was acknowledged is on the disk.
    Flushed,
    /// A flush has failed.
    InDoubt,
}

/// A reader looks no more often than this whether the files are still the same; a writer does each time.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// More than this many reads wait for each other: each connection keeps a cache of up to 16 MB.
const MAX_READERS: usize = 8;

impl Connections {
    /// Opens the first, which shows what the store was born with.
    pub(crate) fn open(place: Place) -> Result<Arc<Self>> {
        let _inside = fork::enter(&place)?;
        error::begin();
        // Whoever makes it may be at it: what comes after this look would be taken for another that replaced it.
        let files = place.files_of_store()?;
        let opened = connection::open_reader(&place)?;
        let (info, readers, reader_returned) = (opened.info, Mutex::default(), Condvar::new());
        let watch = Watch::new(files);
        let connections = Arc::new(Self { place, info, readers, reader_returned, writer: Mutex::default(), watch });
        let Opened { connection, life, .. } = connections.accepted(opened)?;
        if life == Life::Live {
            lock(&connections.readers).idle.push(connection);
        }
        fork::close_before(&connections);
        Ok(connections)
    }

    /// What the store was born with.
    pub(crate) const fn info(&self) -> StoreInfo {
        self.info
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Runs `read` on a connection for reading.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let _inside = fork::enter(&self.place)?;
        error::begin();
        self.follow()?;
        let mut turn = self.turn();
        if let Some(connection) = &mut turn.connection {
            return read(connection);
        }
        let Opened { mut connection, life, .. } = self.accepted(connection::open_reader(&self.place)?)?;
        match life {
            Life::Live => read(turn.connection.insert(connection)),
            Life::Frozen => read(&mut connection),
        }
    }

    /// Waits until fewer than the most readers are at work.
    fn turn(&self) -> Turn<'_> {
        let mut readers = lock(&self.readers);
        while readers.at_work >= MAX_READERS {
            readers.waiting += 1;
            readers = self.reader_returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
            readers.waiting -= 1;
        }
        readers.at_work += 1;
        Turn { connection: readers.idle.pop(), epoch: readers.epoch, owner: self }
    }

    /// Runs `write` on the one connection for writing.
    ///
    /// Where it ends with an unknown outcome, that connection is closed: after an error while flushing, what it has in
    /// memory and what is on the disk may differ. Another is opened before that, because the last one to close writes
    /// the log back, and where that fails, too, the next one reads it anew.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let _inside = fork::enter(&self.place)?;
        error::begin();
        let mut writer = lock(&self.writer);
        self.follow_writing(&mut writer)?;
        let (connection, log) = self.opened(&mut writer)?;
        self.settle(connection, log)?;
        let outcome = write(connection);
        self.watch.learn(&self.place);
        let unknown = matches!(outcome, Err(Error::OutcomeUnknown { .. }));
        if unknown {
            *log = Log::InDoubt;
        }
        if unknown || !connection.is_autocommit() {
            let opened = connection::open_writer(&self.place).and_then(|opened| self.accepted(opened));
            writer.connection = opened.ok().map(|opened| opened.connection);
        }
        outcome
    }

    /// Lets nothing be acknowledged that stands behind what may be lost.
    fn settle(&self, connection: &mut Connection, log: &mut Log) -> Result<()> {
        match *log {
            Log::Unseen if self.place.has_log() => {
                // Where somebody is in the way, it was not left: others are at work, and know.
                connection::write_back_at_once(connection).at(&self.place)?;
            }
            Log::InDoubt if !connection::write_back(connection).at(&self.place)? => {
                return Err(Error::Busy { store: self.place.to_string() });
            }
            _ => {}
        }
        *log = Log::Flushed;
        Ok(())
    }

    /// Whether a flush has failed, and the log was not written back since.
    pub(crate) fn is_in_doubt(&self) -> Result<bool> {
        let _inside = fork::enter(&self.place)?;
        Ok(lock(&self.writer).log == Log::InDoubt)
    }

    /// Runs `write` if nobody else is writing, and so that it waits for no disk: what it commits may be lost.
    pub(crate) fn write_in_passing(&self, write: impl FnOnce(&mut Connection) -> Result<()>) -> Result<()> {
        let _inside = fork::enter(&self.place)?;
        error::begin();
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { store: self.place.to_string() }),
        };
        self.follow_writing(&mut writer)?;
        let (connection, _) = self.opened(&mut writer)?;
        let outcome = connection::hurry(connection, &self.place).and_then(|()| write(connection));
        self.watch.learn(&self.place);
        // A connection that does not take its time again would not be durable.
        if connection::take_time(connection, &self.place).is_err() || !connection.is_autocommit() {
            writer.connection = None;
        }
        outcome
    }

    /// The one connection for writing, opened where it is not.
    fn opened<'a>(&self, writer: &'a mut Writer) -> Result<(&'a mut Connection, &'a mut Log)> {
        let Writer { connection, log, moves: _ } = writer;
        match connection {
            Some(connection) => Ok((connection, log)),
            None => {
                let opened = self.accepted(connection::open_writer(&self.place)?)?.connection;
                if *log == Log::Flushed {
                    *log = Log::Unseen;
                }
                Ok((connection.insert(opened), log))
            }
        }
    }

    /// What a caller has sealed and verified is bound to the store that was opened, not to whatever has its name now.
    ///
    /// A file that was put there since the last look may have been opened with the log of the one before: then its
    /// connection must not write that back when it closes.
    fn accepted(&self, opened: Opened) -> Result<Opened> {
        if !self.watch.is_where_it_was(&self.place) {
            connection::abandon(opened.connection);
            let source = "another file was put in its place in this very moment; try again".into();
            return Err(Error::Store { store: self.place.to_string(), source });
        }
        self.watch.learn(&self.place);
        if opened.info == self.info {
            return Ok(opened);
        }
        let source = "another store stands in its place now; open it anew".into();
        Err(Error::Store { store: self.place.to_string(), source })
    }

    /// Closes all connections where their files are no longer those that stand here.
    ///
    /// Somebody may have moved the store away. Or another SQLite in this process, one that Python brings for instance,
    /// has closed the same file: that drops the locks of ours, and the log goes with the next one that closes. What was
    /// committed to a file without a name would be lost.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`] where the log of the file of before stands beside the one of now, into which it would be
    /// played. Nothing is closed then: the file of before may be put back, and keeps its number as long as it is open.
    fn follow(&self) -> Result<()> {
        if self.watch.look(&self.place, LOOK_AGAIN)?.is_first {
            self.close();
        }
        Ok(())
    }

    /// As [`follow`](Self::follow), while nobody else can write: whoever looked before may not have closed this writer
    /// yet.
    fn follow_writing(&self, writer: &mut Writer) -> Result<()> {
        let moves = self.watch.look(&self.place, Duration::ZERO)?.moves;
        if writer.moves != moves {
            self.close_readers();
            writer.connection = None;
            writer.moves = moves;
        }
        Ok(())
    }

    /// Closes all: those that are at work, when they have done it.
    pub(crate) fn close(&self) {
        self.close_readers();
        lock(&self.writer).connection = None;
    }

    fn close_readers(&self) {
        let mut readers = lock(&self.readers);
        readers.epoch += 1;
        let idle = std::mem::take(&mut readers.idle);
        drop(readers);
        drop(idle);
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.readers.get_mut().unwrap_or_else(PoisonError::into_inner).idle);
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).connection.take();
        match fork::enter(&self.place) {
            Ok(_inside) => drop((idle, writer)),
            // They are the parent's: to close them here would drop nothing of ours and could write to its file.
            Err(_) => std::mem::forget((idle, writer)),
        }
    }
}

/// One reader's turn. When it is dropped, its connection is idle again.
struct Turn<'a> {
    /// `None` until it is opened.
    connection: Option<Connection>,
    epoch: u64,
    owner: &'a Connections,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.owner.readers);
        readers.at_work -= 1;
        if readers.epoch == self.epoch {
            readers.idle.extend(self.connection.take());
        }
        if readers.waiting > 0 {
            self.owner.reader_returned.notify_one();
        }
    }
}

/// A panic elsewhere leaves every connection usable: an open transaction is rolled back where it is dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn a_write_in_passing_leaves_the_next_one_durable() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        schema::create(&place).unwrap();
        let connections = Connections::open(place).unwrap();
        let modes = |connection: &mut Connection| {
            let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
            (read("synchronous"), read("wal_autocheckpoint"))
        };
        let mut meanwhile = None;
        let passing = |connection: &mut Connection| {
            meanwhile = Some(modes(connection));
            Err(Error::Unsupported("whatever happens in it".to_owned()))
        };
        connections.write_in_passing(passing).unwrap_err();
        assert_eq!(meanwhile, Some((1, 0)), "NORMAL, and no checkpoint");
        assert_eq!(connections.write(|connection| Ok(modes(connection))).unwrap(), (2, 1000), "FULL again");
    }
}
