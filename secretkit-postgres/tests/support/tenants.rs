//! A store of two orgs, whose owner gives roles to logins.

use std::collections::BTreeMap;
use std::sync::Arc;

use secretkit_core::{Consumer, Part, PartKind, Secrets, Token};
use secretkit_postgres::{PostgresStore, StoreRole, grant};
use secretkit_test_postgres::Address;

use super::{Home, id, put, url};

/// `acme` and `beta`, each with the same names.
pub(crate) struct Tenants {
    pub(crate) home: Home,
    pub(crate) owner: Secrets,
}

impl Tenants {
    /// `None`, with the reason printed, where there can be no server.
    pub(crate) fn new() -> Option<Self> {
        let home = Home::new()?;
        home.database.sql(&format!("ALTER ROLE {} CREATEROLE;", home.database.name()));
        let owner = home.created();
        for org in ["acme", "beta"] {
            put(&owner, &format!("{org}/etl:db/password"), b"first");
            put(&owner, &format!("{org}/etl:db/password"), b"second");
            put(&owner, &format!("{org}:token"), b"t0k3n");
            put(&owner, &format!("{org}:spare"), b"spare");
            owner.add_consumer(&id(&format!("{org}/etl:db/password")), &consumer("payroll")).unwrap();
            owner.get(&id(&format!("{org}/etl:db/password"))).unwrap();
        }
        owner.record_uses();
        for org in ["acme", "beta"] {
            assert!(!owner.outcome(&part(org), &Token::generate().unwrap()).unwrap());
        }
        Some(Self { home, owner })
    }

    /// A new login with this role in these orgs.
    pub(crate) fn login(&self, role: StoreRole, orgs: &[&str]) -> Address {
        let login = self.home.database.role();
        for org in orgs {
            self.grant(&login, role, org);
        }
        login
    }

    pub(crate) fn grant(&self, login: &Address, role: StoreRole, org: &str) -> bool {
        grant(&self.home.url(), login.user_name(), role, &part(org), Some(self.home.database.name())).unwrap()
    }

    /// The front door, for this login.
    pub(crate) fn secrets(&self, login: &Address) -> Secrets {
        self.home.secrets(PostgresStore::open(&url(login)).unwrap())
    }

    /// Every row of the store, by table and the org that it belongs to.
    pub(crate) fn rows(&self, org: &str) -> BTreeMap<&'static str, String> {
        let of_secret = format!("secret_id IN (SELECT id FROM secretkit.secrets WHERE org = '{org}')");
        let of_org = format!("org = '{org}'");
        let text = |table: &str, condition: &str| {
            self.home.database.sql(&format!(
                "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM secretkit.{table} AS t WHERE {condition};"
            ))
        };
        let condition = |table: &&str| if OF_SECRETS.contains(table) { &of_secret } else { &of_org };
        OF_ORGS.iter().chain(&OF_SECRETS).map(|table| (*table, text(table, condition(table)))).collect()
    }
}

/// The tables whose rows belong to orgs.
pub(crate) const OF_ORGS: [&str; 5] = ["keyring", "secrets", "lanes", "events", "settled"];
pub(crate) const OF_SECRETS: [&str; 3] = ["revisions", "consumers", "usage"];

pub(crate) fn part(text: &str) -> Part {
    Part::parse(PartKind::Org, text).unwrap()
}

pub(crate) fn consumer(text: &str) -> Consumer {
    text.parse().unwrap()
}

/// The same store with other root keys.
pub(crate) fn with_keys(login: &Address, keys: Arc<dyn secretkit_core::KeyProvider>) -> Secrets {
    let store = PostgresStore::open(&url(login)).unwrap();
    Secrets::new(Arc::new(store), keys, secretkit_core::Access::Unrestricted)
}
