//! What an operator does to a server that runs.

use crate::server::Server;

impl Server {
    /// Changes a setting for all sessions, as of now; `None` puts back what it was.
    pub fn set(&self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.sql(&format!("ALTER SYSTEM SET {name} = '{}';", value.replace('\'', "''"))),
            None => self.sql(&format!("ALTER SYSTEM RESET {name};")),
        };
        self.reload();
    }

    /// Has the server read its files again.
    pub(crate) fn reload(&self) {
        let before = self.log().matches("received SIGHUP, reloading configuration files").count();
        self.sql("SELECT pg_reload_conf();");
        let seen = || self.log().matches("received SIGHUP, reloading configuration files").count() > before;
        assert!(crate::server::wait_until(seen), "the server does not reload: {}", self.log());
    }

    /// Fills the disk of [`Options::small_disk`], until not a byte more fits.
    ///
    /// [`Options::small_disk`]: crate::Options::small_disk
    pub fn fill_disk(&self) {
        assert!(self.options.small_disk.is_some(), "only a small disk is filled");
        assert_ne!(self.home.order("fill"), 0, "the disk has no end");
    }

    /// Frees what [`Server::fill_disk`] took.
    pub fn free_disk(&self) {
        assert_eq!(self.home.order("free"), 0, "the disk is not freed");
    }

    /// Breaks every client's connection.
    pub fn terminate_backends(&self) {
        self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();",
        );
    }
}
