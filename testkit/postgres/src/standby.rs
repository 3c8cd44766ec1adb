//! A second server that follows the first.

use std::fs;
use std::sync::Arc;

use crate::home::Home;
use crate::server::{Server, wait_until};

impl Server {
    /// Starts a standby, which streams from this server under the name `standby` and answers reads. It has the same roles,
    /// passwords and authority, so that a URL with both as hosts works.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not stream.
    #[must_use]
    pub fn standby(&self) -> Self {
        self.standby_where(None)
    }

    /// The same at the port of a server that is gone, so that clients find it where that one was.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not stream.
    #[must_use]
    pub fn standby_at(&self, port: u16) -> Self {
        self.standby_where(Some(port))
    }

    fn standby_where(&self, port: Option<u16>) -> Self {
        let options = self.options.clone().of_standby();
        let home = Home::new(self.home.programs(), None);
        self.copy_to(&home);

        // What was set since the start came along, and when this one is promoted, nobody stands by it.
        let set = fs::read_to_string(home.path("data/postgresql.auto.conf")).expect("a copy has its settings");
        let mut set: Vec<_> = set.lines().filter(|line| !line.starts_with("synchronous_standby_names")).collect();
        // A standby before version 15 does not compare an address with those in a certificate.
        let primary = self.superuser("postgres").with("sslmode", "verify-ca").with("application_name", "standby");
        let followed = format!("primary_conninfo = '{primary}'\n");
        set.push(&followed);
        home.write("data/postgresql.auto.conf", &set.join("\n"));
        home.write("data/standby.signal", "");

        let standby = Self::made(home, options, Arc::clone(&self.authorities), self.password.clone(), port);
        let streams =
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming';";
        assert!(wait_until(|| self.sql(streams) == "1"), "the standby does not stream: {}", standby.log());
        standby
    }

    /// Copies the data while the server runs. `pg_basebackup` does the same, and knows no server that is newer than itself.
    fn copy_to(&self, home: &Home) {
        let version: u32 = self.sql("SHOW server_version_num;").parse().expect("it is a number");
        let (begin, end) = match version {
            150_000.. => ("pg_backup_start('standby', true)", "pg_backup_stop(false)"),
            _ => ("pg_start_backup('standby', true, false)", "pg_stop_backup(false, false)"),
        };
        let [from, to] = [&self.home, home].map(|home| home.path("data"));
        // Files come and go meanwhile; whether all that matters is there shows when it starts.
        let told = self.sql(&format!(
            "SELECT {begin};\n\\! cp -a '{}' '{}' 2>/dev/null\nSELECT labelfile FROM {end};",
            from.display(),
            to.display()
        ));
        let (_, label) = told.split_once('\n').expect("the start of the log, and the label");
        home.write("data/backup_label", &format!("{label}\n"));
        // The log comes from the primary, from where the label says.
        let log = fs::read_dir(to.join("pg_wal")).expect("a copy has a log").flatten().map(|entry| entry.path());
        let of_primary = ["postmaster.pid", "postmaster.opts"].map(|name| to.join(name));
        for file in log.filter(|path| path.is_file()).chain(of_primary) {
            fs::remove_file(file).expect("it can be removed");
        }
    }

    /// Makes a standby a primary. Returns when it takes writes.
    ///
    /// # Panics
    ///
    /// If it is no standby.
    pub fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote();"), "t", "not promoted: {}", self.log());
    }
}
