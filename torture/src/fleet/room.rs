//! What the clients of one store share: a directory with the root keys, the store's URL, and the sign in every value.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secretkit_core::{Actor, Part, Result, RootKey, SecretId, SecretValue, Secrets};
use secretkit_postgres::{PostgresStore, PostgresUrl};
use secretkit_test_postgres::Address;

use crate::home::{keys_in, secrets};
use crate::script::Value;

/// A directory that clients are told of.
#[derive(Debug)]
pub(crate) struct Room {
    path: PathBuf,
    keys: [Arc<RootKey>; 2],
    sign: Vec<u8>,
}

impl Room {
    /// Writes down what clients need beside the root keys that are there.
    pub(crate) fn make(path: &Path, url: &str) -> Self {
        std::fs::write(path.join("url"), url).unwrap();
        let random = RootKey::generate().unwrap().to_text();
        std::fs::write(path.join("sign"), [b"known-value-", &random.expose_secret()[..24]].concat()).unwrap();
        Self::enter(path)
    }

    pub(crate) fn enter(path: &Path) -> Self {
        let keys = keys_in(path).unwrap();
        Self { path: path.to_owned(), keys, sign: std::fs::read(path.join("sign")).unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// The store's.
    pub(crate) fn open(&self, actor: &str) -> Result<Secrets> {
        self.open_with(actor, &[])
    }

    /// The same, with parameters of its own.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn open_with(&self, actor: &str, parameters: &[(&str, &str)]) -> Result<Secrets> {
        let mut address = Address::parse(&std::fs::read_to_string(self.path.join("url")).unwrap()).unwrap();
        for (name, value) in parameters {
            address = address.with(name, value);
        }
        let url: PostgresUrl = address.to_string().parse()?;
        Ok(secrets(PostgresStore::open(&url)?, &self.keys, 0).with_actor(Actor::parse(actor)?))
    }

    /// What stands at the beginning of every value.
    pub(crate) fn sign(&self) -> &[u8] {
        &self.sign
    }

    /// The value of this number.
    pub(crate) fn bytes(&self, number: u64) -> Vec<u8> {
        [&self.sign[..], &Value(number, number as usize * 7 % 300).bytes()].concat()
    }

    pub(crate) fn value(&self, number: u64) -> SecretValue {
        self.bytes(number).into()
    }
}

/// The org that they all write to.
pub(crate) fn org() -> Part {
    "acme:a".parse::<SecretId>().unwrap().org().clone()
}

/// How long the crowd waits for a connection.
pub(crate) const BUSY_AFTER: Duration = Duration::from_millis(10);

/// How long a client goes on asking a store that ought to be back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
