//! A real PgBouncer before a server, where somebody names one: no package that the tests could install brings it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::account::Account;
use crate::address::Address;
use crate::environment::{self, skip};
use crate::port::free_port;
use crate::server::wait_until;

/// A PgBouncer in transaction mode: it lends one of a few connections to the server for one transaction at a time. Gone when
/// this is dropped.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    child: Child,
    home: TempDir,
}

impl Pooler {
    /// Starts one before the server of this address, for its user alone, with so many connections to the server. `None`,
    /// with the reason printed, where nobody has named the program.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(address: &Address, connections: u32) -> Option<Self> {
        let Some(program) = environment::pooler() else {
            skip(&format!("{} names no PgBouncer", environment::POOLER));
            return None;
        };
        let account = Account::of_servers();
        let home = tempfile::Builder::new().prefix("secretkit-pooler-").tempdir().expect("a directory can be made");
        let (port, file) = (free_port(), |name: &str| home.path().join(name));
        let (user, password) = (address.user_name(), address.password_text());
        let server = address.hosts_text().rsplit(':').next().unwrap_or_default().to_owned();
        let mut text = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={server}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = scram-sha-256\n\
             auth_file = {}\n\
             pool_mode = transaction\n\
             default_pool_size = {connections}\n\
             ignore_startup_parameters = options\n\
             server_tls_sslmode = require\n\
             logfile = {}\n",
            file("users").display(),
            file("log").display(),
        );
        if keeps_statements(&program) {
            text.push_str("max_prepared_statements = 200\n");
        }
        for (name, text) in [("users", format!("\"{user}\" \"{password}\"\n")), ("pooler.ini", text)] {
            fs::write(file(name), text).expect("the directory can be written to");
            account.own(&file(name));
        }
        account.own(home.path());
        let mut command = Command::new(&program);
        command.arg("-q").arg(file("pooler.ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        account.run(&mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let pooler = Self { port, child, home };
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(wait_until(listens), "PgBouncer does not start: {}", pooler.log());
        Some(pooler)
    }

    /// Where on 127.0.0.1 it listens, without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same address by way of the pooler.
    #[must_use]
    pub fn before(&self, address: &Address) -> Address {
        address.clone().port(self.port).without("sslrootcert").with("sslmode", "disable")
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it knows prepared statements in transaction mode, which came with 1.21.
fn keeps_statements(program: &PathBuf) -> bool {
    let output = Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}
