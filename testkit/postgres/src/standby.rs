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
        let programs = self.home.program("postgres");
        let home = Home::new(programs.parent().expect("it lies in a directory"), None);
        let primary = self.superuser("postgres").with("application_name", "standby");
        assert_eq!(home.order(&format!("copy {primary}")), 0, "pg_basebackup: {}", home.log());

        // What was set since the start came along, and when this one is promoted, nobody stands by it.
        let set = home.path("data/postgresql.auto.conf");
        let set = fs::read_to_string(set).expect("a copy has its settings");
        let kept = set.lines().filter(|line| !line.starts_with("synchronous_standby_names"));
        home.write("data/postgresql.auto.conf", &(kept.collect::<Vec<_>>().join("\n") + "\n"));

        let standby = Self::made(home, options, Arc::clone(&self.authorities), self.password.clone(), port);
        let streams =
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming';";
        assert!(wait_until(|| self.sql(streams) == "1"), "the standby does not stream: {}", standby.log());
        standby
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
