//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses some of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit_core::{Access, PutMode, RootKey, SecretId, SecretInfo, SecretValue, Secrets};
use secretkit_sqlite::SqliteStore;
use tempfile::TempDir;

/// A directory with a store's path in it, and the root key.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) key: Arc<RootKey>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), key: Arc::new(RootKey::generate().unwrap()) }
    }

    /// With a store in it, and some secrets: two in one org, one of them at its second value, and one in another org.
    pub(crate) fn filled() -> Self {
        let home = Self::new();
        let secrets = home.created();
        put(&secrets, "acme/etl:db/password", b"first");
        put(&secrets, "acme/etl:db/password", b"second");
        put(&secrets, "acme:token", b"t0k3n");
        put(&secrets, "other:token", b"another");
        home
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("secrets.db")
    }

    /// The root key beside the store, for another process.
    pub(crate) fn write_key(&self) -> PathBuf {
        let key = self.directory.path().join("key");
        if !key.exists() {
            std::fs::write(&key, self.key.to_text().expose_secret()).unwrap();
            std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        key
    }

    pub(crate) fn created(&self) -> Secrets {
        self.secrets(SqliteStore::create(&self.path()).unwrap())
    }

    pub(crate) fn opened(&self) -> Secrets {
        self.secrets(SqliteStore::open(&self.path()).unwrap())
    }

    pub(crate) fn secrets(&self, store: SqliteStore) -> Secrets {
        Secrets::new(Arc::new(store), Arc::clone(&self.key) as _, Access::Unrestricted)
    }

    /// The file as SQLite shows it to anybody.
    pub(crate) fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub(crate) fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

pub(crate) fn put(secrets: &Secrets, address: &str, value: &[u8]) -> SecretInfo {
    secrets.put(&id(address), &SecretValue::copied_from(value), PutMode::Overwrite).unwrap()
}

pub(crate) fn get(secrets: &Secrets, address: &str) -> Vec<u8> {
    secrets.get(&id(address)).unwrap().value.expose_secret().to_vec()
}

/// Names of the files in a directory, sorted.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Says on the real standard error, which the harness does not swallow, why a test is not run here.
pub(crate) fn skip(test: &str, reason: &dyn std::fmt::Display) {
    std::io::stderr().write_all(format!("skipped: {test}: {reason}\n").as_bytes()).unwrap();
}
