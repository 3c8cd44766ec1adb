//! What a server is to be like.

use std::fmt::Write as _;

use crate::server::Server;

/// Whether the server puts what it commits on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As PostgreSQL does by itself: `fsync` and all.
    Full,
    /// Nothing waits for a disk. What was committed survives the end of the server's processes, though not of its machine. For
    /// tests of what a store does; never for how long it takes.
    Relaxed,
}

/// What a server is to be like; [`Options::start`] starts it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    settings: Vec<(String, String)>,
    access: Vec<String>,
    pub(crate) small_disk: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// PostgreSQL as it is by itself, with TLS and passwords and on 127.0.0.1 only.
    pub fn new() -> Self {
        Self { settings: Vec::new(), access: Vec::new(), small_disk: None }
    }

    /// Starts the server. `None`, with the reason printed, where there can be none.
    ///
    /// # Panics
    ///
    /// If the server ought to start and does not.
    #[must_use]
    pub fn start(self) -> Option<Server> {
        Server::with(self)
    }

    /// A line of `postgresql.conf`, which wins over what stands there before.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many may be connected at once.
    pub fn max_connections(self, number: u32) -> Self {
        self.setting("max_connections", &number.to_string())
    }

    /// The standbys, by name, that a commit waits for: as long as there is none, no commit returns. What [`Server::standby`]
    /// starts is called `standby`.
    pub fn synchronous_standbys(self, names: &str) -> Self {
        self.setting("synchronous_standby_names", names)
    }

    /// Has every statement written to the log.
    pub fn log_statements(self) -> Self {
        self.setting("log_statement", "all").setting("log_connections", "on").setting("log_disconnections", "on")
    }

    /// Whether commits reach the disk; by default they do.
    pub fn durability(self, durability: Durability) -> Self {
        match durability {
            Durability::Full => self,
            Durability::Relaxed => self.setting("fsync", "off"),
        }
    }

    /// A line of `pg_hba.conf` that is asked before all others. By themselves these want TLS and a password.
    pub fn access(mut self, line: &str) -> Self {
        self.access.push(line.to_owned());
        self
    }

    /// Puts the data of databases, but not the server's own files, on a disk of so many bytes.
    pub fn small_disk(mut self, bytes: u64) -> Self {
        self.small_disk = Some(bytes);
        self
    }

    /// The same for a standby, which nobody stands by.
    pub(crate) fn of_standby(mut self) -> Self {
        assert!(self.small_disk.is_none(), "a standby with a small disk is not offered");
        self.settings.retain(|(name, _)| name != "synchronous_standby_names");
        self
    }

    /// `postgresql.conf`.
    pub(crate) fn configuration(&self, port: u16, sockets: &str) -> String {
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\n\
             port = {port}\n\
             unix_socket_directories = '{sockets}'\n\
             ssl = on\n\
             ssl_cert_file = 'server.pem'\n\
             ssl_key_file = 'server.key'\n\
             ssl_ca_file = 'authority.pem'\n\
             password_encryption = 'scram-sha-256'\n\
             log_destination = 'stderr'\n\
             log_line_prefix = '%m [%p] %q%u@%d %a: '\n\
             # In files of its own directory, and nowhere that a killed server would leave it.\n\
             dynamic_shared_memory_type = 'mmap'\n\
             # Enough for a standby to come back.\n\
             wal_keep_size = '256MB'\n"
        );
        for (name, value) in &self.settings {
            let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        }
        text
    }

    /// `pg_hba.conf`.
    pub(crate) fn access_rules(&self) -> String {
        let mut lines = self.access.join("\n");
        lines.push_str(
            "\nlocal all all scram-sha-256\n\
             hostssl all all 127.0.0.1/32 scram-sha-256\n\
             hostssl replication all 127.0.0.1/32 scram-sha-256\n",
        );
        lines
    }
}
