//! A server's life.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::address::Address;
use crate::certificates::{Authorities, Shown};
use crate::database::Database;
use crate::environment::skip;
use crate::home::Home;
use crate::options::Options;
use crate::port::free_port;
use crate::{installation, process, random, sql};

/// How long a start or a stop may take before the test is told so.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running PostgreSQL of our own, gone with all its data when this is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct Server {
    pub(crate) home: Home,
    pub(crate) options: Options,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) password: String,
    port: u16,
    postmaster: Mutex<Option<Pid>>,
}

impl Server {
    /// Starts a server. `None`, with the reason printed, where there can be none.
    ///
    /// # Panics
    ///
    /// If the server ought to start and does not.
    #[must_use]
    pub fn start() -> Option<Self> {
        Options::new().start()
    }

    pub(crate) fn with(options: Options) -> Option<Self> {
        let programs = installation::programs().map_err(|reason| skip(&reason)).ok()?;
        if options.small_disk.is_some() && !crate::home::small_disks() {
            skip("a small disk needs `unshare`, and a system that lets this user mount one");
            return None;
        }
        let home = Home::new(&programs, options.small_disk);
        let password = random();
        home.write("password", &password);
        assert_eq!(home.order("make"), 0, "initdb: {}", home.log());
        let server = Self::made(home, options, Arc::new(Authorities::new()), password, None);
        if server.options.small_disk.is_some() {
            server.sql(&format!("CREATE TABLESPACE small LOCATION '{}'", server.home.path("small").display()));
        }
        Some(server)
    }

    /// Configures and starts what stands in the data directory, at this port if it has to be that one.
    pub(crate) fn made(
        home: Home,
        options: Options,
        authorities: Arc<Authorities>,
        password: String,
        port: Option<u16>,
    ) -> Self {
        home.write("data/pg_hba.conf", &options.access_rules());
        home.write("data/authority.pem", authorities.right());
        home.write("tls/authority.pem", authorities.right());
        home.write("tls/other-authority.pem", authorities.other());
        let mut server = Self { home, options, authorities, password, port: 0, postmaster: Mutex::new(None) };
        server.place(Shown::Right);
        // Between our look at a port and the server's somebody else may take it.
        for _ in 0..10 {
            server.port = port.unwrap_or_else(free_port);
            let sockets = server.home.path("run").display().to_string();
            server.home.write("data/postgresql.conf", &server.options.configuration(server.port, &sockets));
            if server.try_start() {
                return server;
            }
            assert!(server.log().contains("Address already in use"), "the server does not start: {}", server.log());
        }
        panic!("no port is free: {}", server.log());
    }

    /// Starts the server again, with its port and its data.
    ///
    /// # Panics
    ///
    /// If it runs, or does not start.
    pub fn start_again(&self) {
        assert!(self.process().is_none(), "it runs");
        assert!(self.try_start(), "the server does not start again: {}", self.log());
    }

    fn try_start(&self) -> bool {
        let started = Pid::from_raw(self.home.order("start"));
        let ready = wait_until(|| self.is_ready(started) || !process::runs(started)) && self.is_ready(started);
        if ready {
            *self.postmaster() = Some(started);
        } else {
            process::send(started, Signal::SIGKILL);
            self.home.order("wait");
        }
        ready
    }

    /// Whether the server's lock file names this process and says that it takes connections.
    fn is_ready(&self, started: Pid) -> bool {
        let text = fs::read_to_string(self.data_directory().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(&started.to_string()) && lines.nth(6).is_some_and(|state| state.trim_end() == "ready")
    }

    /// Stops the server in order: transactions are rolled back, everything is written.
    pub fn stop(&self) {
        self.end(Signal::SIGINT);
    }

    /// Stops the server at once, as a crash of its own would: connections break, and the next start recovers.
    pub fn stop_immediately(&self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&self, signal: Signal) {
        self.resume();
        let Some(postmaster) = self.postmaster().take() else { return };
        process::send(postmaster, signal);
        self.wait_for(postmaster);
    }

    /// Kills every process of the server, as the end of its machine would.
    pub fn kill(&self) {
        self.pause();
        let Some(postmaster) = self.postmaster().take() else { return };
        let children = process::children(postmaster);
        for process in children.iter().copied().chain([postmaster]) {
            process::send(process, Signal::SIGKILL);
        }
        // As long as one of them is there, the next server finds their memory in use.
        assert!(wait_until(|| !children.iter().copied().any(process::runs)), "a killed process runs on");
        self.wait_for(postmaster);
    }

    fn wait_for(&self, postmaster: Pid) {
        assert!(wait_until(|| !process::runs(postmaster)), "the server does not stop: {}", self.log());
        self.home.order("wait");
    }

    /// Halts every process of the server where it is. Clients see a server that says nothing.
    pub fn pause(&self) {
        let Some(postmaster) = self.process() else { return };
        // The first one first, so that it starts no others meanwhile.
        process::send(postmaster, Signal::SIGSTOP);
        for process in process::children(postmaster) {
            process::send(process, Signal::SIGSTOP);
        }
    }

    /// Lets every process of the server go on.
    pub fn resume(&self) {
        let Some(postmaster) = self.process() else { return };
        for process in process::children(postmaster) {
            process::send(process, Signal::SIGCONT);
        }
        process::send(postmaster, Signal::SIGCONT);
    }

    /// The server's first process, while it runs.
    #[must_use]
    pub fn process(&self) -> Option<Pid> {
        *self.postmaster()
    }

    fn postmaster(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where on 127.0.0.1 the server listens. It is none of those that systems give to clients, so that none takes it while the
    /// server is stopped.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server keeps its data.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.home.path("data")
    }

    /// Everything the server has said, statements among them with [`Options::log_statements`].
    #[must_use]
    pub fn log(&self) -> String {
        self.home.log()
    }

    /// The superuser's way to a database, over TLS.
    #[must_use]
    pub fn superuser(&self, database: &str) -> Address {
        let authority = self.authority().display().to_string();
        let address = Address::new("", "postgres", &self.password, database).port(self.port);
        address.with("sslmode", "verify-full").with("sslrootcert", &authority)
    }

    /// Runs SQL as the superuser in the database `postgres`, and returns the rows, one a line, with `|` between columns.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    pub fn sql(&self, statements: &str) -> String {
        sql::run(&installation::client(), &self.local("postgres"), statements)
    }

    /// The superuser's way over the socket, for this crate's own statements.
    pub(crate) fn local(&self, database: &str) -> Address {
        let sockets = self.home.path("run").display().to_string();
        let address = Address::new("", "postgres", &self.password, database);
        address.with("host", &sockets).with("port", &self.port.to_string())
    }

    /// A fresh, empty database with an owner of its own, who is no superuser.
    #[must_use]
    pub fn database(&self) -> Database {
        let administrator = self.local("postgres");
        let place = if self.options.small_disk.is_some() { "TABLESPACE small" } else { "" };
        Database::new(installation::client(), administrator, self.superuser("postgres"), place)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is halted could not stop.
        self.resume();
    }
}

pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
