//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod ears;
pub(crate) mod tenants;

use std::sync::Arc;

use secretkit_core::{Access, PutMode, RootKey, SecretId, SecretInfo, SecretValue, Secrets};
use secretkit_postgres::{PostgresStore, PostgresUrl};
use secretkit_test_postgres::{Address, Database, database};

/// A fresh database, and the root key.
pub(crate) struct Home {
    pub(crate) database: Database,
    pub(crate) key: Arc<RootKey>,
}

impl Home {
    /// `None`, with the reason printed, where there can be no server.
    pub(crate) fn new() -> Option<Self> {
        database().map(Self::of)
    }

    pub(crate) fn of(database: Database) -> Self {
        Self { database, key: Arc::new(RootKey::generate().unwrap()) }
    }

    /// With a store in it, and some secrets: two in one org, one of them at its second value, and one in another org.
    pub(crate) fn filled() -> Option<Self> {
        let home = Self::new()?;
        let secrets = home.created();
        put(&secrets, "acme/etl:db/password", b"first");
        put(&secrets, "acme/etl:db/password", b"second");
        put(&secrets, "acme:token", b"t0k3n");
        put(&secrets, "other:token", b"another");
        Some(home)
    }

    pub(crate) fn url(&self) -> PostgresUrl {
        url(&self.database.address())
    }

    pub(crate) fn created(&self) -> Secrets {
        self.secrets(PostgresStore::create(&self.url()).unwrap())
    }

    pub(crate) fn opened(&self) -> Secrets {
        self.secrets(PostgresStore::open(&self.url()).unwrap())
    }

    pub(crate) fn secrets(&self, store: PostgresStore) -> Secrets {
        Secrets::new(Arc::new(store), Arc::clone(&self.key) as _, Access::Unrestricted)
    }
}

pub(crate) fn url(address: &Address) -> PostgresUrl {
    address.to_string().parse().unwrap()
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
