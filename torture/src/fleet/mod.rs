//! Many clients of one PostgreSQL server: processes that write all the time, and a ledger of what they were told.

mod client;
mod ledger;
mod report;
mod room;
mod search;
mod work;
mod writer;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use client::client;
pub(crate) use ledger::Ledger;
pub(crate) use room::{BUSY_AFTER, PATIENCE, Room};
pub(crate) use search::{end, look, search};
pub(crate) use work::Worker;
pub(crate) use writer::writer;

use crate::campaign::Faults;

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Fleet {
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    process: Child,
    ledger: Arc<Mutex<Ledger>>,
    reader: JoinHandle<()>,
}

impl Fleet {
    /// Starts this many processes with this many threads each.
    pub(crate) fn start(program: &Path, room: &Room, processes: usize, threads: usize) -> Self {
        let orders = |number: usize| {
            let room = room.path().display().to_string();
            vec!["client".to_owned(), room, number.to_string(), threads.to_string()]
        };
        Self::of(program, &(0..processes).map(orders).collect::<Vec<_>>())
    }

    /// A process for each of these orders.
    pub(crate) fn of(program: &Path, orders: &[Vec<String>]) -> Self {
        Self { clients: orders.iter().map(|orders| Client::start(program, orders)).collect() }
    }

    /// Waits until every client has been acknowledged a write since a moment. Returns how long the last one took.
    pub(crate) fn progress(&self, since: Instant, faults: &mut Faults) -> Duration {
        loop {
            let late = self.clients.iter().position(|client| client.ledger().last.is_none_or(|last| last < since));
            let took = since.elapsed();
            match late {
                None => return took,
                Some(number) if took > PATIENCE => {
                    faults.add(format!("client {number} does not go on"));
                    return took;
                }
                Some(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Has them stop, waits for those that stop by themselves, and returns what all of them were told.
    pub(crate) fn stop(self, faults: &mut Faults) -> Ledger {
        let mut whole = Ledger::default();
        let mut clients = self.clients;
        // All at once: each may have to wait for a time-out.
        clients.iter_mut().for_each(|client| drop(client.process.stdin.take()));
        for (number, Client { mut process, ledger, reader }) in clients.into_iter().enumerate() {
            reader.join().unwrap();
            let status = process.wait().unwrap();
            if !status.success() {
                faults.add(format!("client {number} ended with {status}"));
            }
            whole.join(std::mem::take(&mut *ledger.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        whole
    }
}

impl Client {
    fn start(program: &Path, orders: &[String]) -> Self {
        let mut process =
            Command::new(program).args(orders).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (output, noted) = (process.stdout.take().unwrap(), Arc::clone(&ledger));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let line = line.unwrap();
                let said = report::Said::parse(&line).unwrap_or_else(|| report::Said::Wrong(line.clone()));
                noted.lock().unwrap_or_else(PoisonError::into_inner).note(said);
            }
        });
        Self { process, ledger, reader }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
