//! The connections of one process: some readers, one writer, each opened when it is first needed.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::Connection;
use rustix::process::{Pid, getpid};
use secretkit_core::store::StoreInfo;
use secretkit_core::{Error, Result};

use crate::connection::{self, Life, Opened};
use crate::place::Place;

/// The connections of one process to one store.
///
/// A child made by `fork` shares nothing of them: to use one there, or only to close it, can destroy the file. So the
/// process is remembered, and a child gets connections of its own under `after_fork`, reached without any lock that a
/// thread of the parent may have held at that moment.
pub(crate) struct Connections {
    place: Place,
    process: Pid,
    readers: Mutex<Readers>,
    reader_returned: Condvar,
    writer: Mutex<Option<Connection>>,
    after_fork: OnceLock<Box<Self>>,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    at_work: usize,
}

/// More than this many reads wait for each other: each connection keeps a cache of up to 2 MB.
const MAX_READERS: usize = 8;

impl Connections {
    /// Opens the first, which shows what the store was born with.
    pub(crate) fn open(place: Place) -> Result<(Self, StoreInfo)> {
        let connections = Self::new(place);
        let Opened { connection, info, life } = connection::open_reader(&connections.place)?;
        if life == Life::Live {
            *lock(&connections.readers) = Readers { idle: vec![connection], at_work: 0 };
        }
        Ok((connections, info))
    }

    fn new(place: Place) -> Self {
        let (readers, reader_returned) = (Mutex::default(), Condvar::new());
        let (writer, after_fork) = (Mutex::default(), OnceLock::new());
        Self { place, process: getpid(), readers, reader_returned, writer, after_fork }
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Runs `read` on a connection for reading.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut turn = self.of_this_process().turn();
        if let Some(connection) = &mut turn.connection {
            return read(connection);
        }
        let Opened { mut connection, info: _, life } = connection::open_reader(&turn.owner.place)?;
        match life {
            Life::Live => read(turn.connection.insert(connection)),
            Life::Frozen => read(&mut connection),
        }
    }

    /// Waits until fewer than the most readers are at work.
    fn turn(&self) -> Turn<'_> {
        let mut readers = lock(&self.readers);
        while readers.at_work >= MAX_READERS {
            readers = self.reader_returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        readers.at_work += 1;
        Turn { connection: readers.idle.pop(), owner: self }
    }

    /// Runs `write` on the one connection for writing.
    ///
    /// Where it ends with an unknown outcome, that connection is closed: after an error while flushing, what it has in
    /// memory and what is on the disk may differ.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let here = self.of_this_process();
        let mut writer = lock(&here.writer);
        let connection = match &mut *writer {
            Some(connection) => connection,
            None => writer.insert(connection::open_writer(&here.place)?),
        };
        let outcome = write(connection);
        if matches!(outcome, Err(Error::OutcomeUnknown { .. })) || !connection.is_autocommit() {
            *writer = None;
        }
        outcome
    }

    fn of_this_process(&self) -> &Self {
        if self.process == getpid() {
            return self;
        }
        self.after_fork.get_or_init(|| Box::new(Self::new(self.place.clone()))).of_this_process()
    }
}

/// What was inherited is left alone: closing it would drop locks and could remove the log under the parent.
impl Drop for Connections {
    fn drop(&mut self) {
        if self.process != getpid() {
            let readers = self.readers.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::take(&mut readers.idle));
            std::mem::forget(self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// One reader's turn. When it is dropped, its connection is idle again.
struct Turn<'a> {
    /// `None` until it is opened.
    connection: Option<Connection>,
    owner: &'a Connections,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.owner.readers);
        readers.at_work -= 1;
        readers.idle.extend(self.connection.take());
        drop(readers);
        self.owner.reader_returned.notify_one();
    }
}

/// A panic elsewhere leaves every connection usable: an open transaction is rolled back where it is dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
