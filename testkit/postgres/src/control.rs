//! What an operator does to a server that runs.

use std::fs;
use std::path::{Path, PathBuf};

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

    /// The files of the server, its data and its log among them, that hold these bytes as they are.
    pub fn files_with(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| {
            let text = fs::read(path).unwrap_or_default();
            // Jumps from one first byte to the next: the files are large, and tests are not optimised.
            let mut starts = text.iter().enumerate().filter(|(_, byte)| Some(*byte) == bytes.first());
            starts.any(|(start, _)| text[start..].starts_with(bytes))
        };
        self.files().into_iter().filter(holds).collect()
    }

    /// Every file of the server. One that runs removes some of them meanwhile.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        list(&self.home.path(""), &mut found);
        found
    }
}

fn list(path: &Path, found: &mut Vec<PathBuf>) {
    let kind = fs::symlink_metadata(path).map(|metadata| metadata.file_type());
    let Ok(kind) = kind else { return };
    if kind.is_dir() {
        fs::read_dir(path).into_iter().flatten().flatten().for_each(|entry| list(&entry.path(), found));
    } else if kind.is_file() {
        found.push(path.to_owned());
    }
}
