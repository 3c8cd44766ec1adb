//! Old copies of a store, and old rows in a new one: what a process and an anchor know of them.

use std::sync::Arc;

use super::replayed::Replayed;
use super::{id, value};
use crate::error::ErrorKind;
use crate::people::Access;
use crate::seal::{KeyState, KeyUse, RootKey};
use crate::secrets::{Finding, PutMode, Secrets, Verified};
use crate::store::{Batch, Change, SecretStore};

struct Home {
    store: Arc<Replayed>,
    root: Arc<RootKey>,
}

impl Home {
    fn new() -> Self {
        Self { store: Arc::new(Replayed::new()), root: Arc::new(RootKey::generate().unwrap()) }
    }

    /// A process of its own.
    fn process(&self) -> Secrets {
        let (store, root) = (Arc::clone(&self.store) as Arc<dyn SecretStore>, Arc::clone(&self.root) as _);
        Secrets::new(store, root, Access::Unrestricted).without_usage()
    }

    /// Puts a keyring back.
    fn put_back(&self, keyring: Change) {
        self.store.behind(&Batch { changes: vec![keyring], ..Batch::default() });
    }

    fn keyring(&self) -> Change {
        Change::Keyring(self.store.keyring(id("acme:a").org()).unwrap().unwrap())
    }
}

fn put(secrets: &Secrets, name: &str) -> Result<(), ErrorKind> {
    secrets.put(&id(name), &value("x"), PutMode::Overwrite).map(drop).map_err(|error| error.kind())
}

fn get(secrets: &Secrets, name: &str) -> Result<(), ErrorKind> {
    secrets.get(&id(name)).map(drop).map_err(|error| error.kind())
}

fn findings(secrets: &Secrets) -> Vec<Finding> {
    let told = secrets.verify(id("acme:a").org()).flat_map(Result::unwrap);
    told.filter_map(|told| match told {
        Verified::Wrong(finding) => Some(finding),
        Verified::Progress(_) => None,
    })
    .collect()
}

/// A data key that was stolen is replaced, retired and destroyed.
fn replace_data_key(secrets: &Secrets, meanwhile: impl FnOnce()) {
    let (keys, org) = (secrets.keys(), id("acme:a").org().clone());
    let stolen = keys.status(&org).unwrap().in_state(KeyUse::Data, KeyState::Primary).next().unwrap().id;
    let new = keys.add(&org, KeyUse::Data).unwrap().id;
    meanwhile();
    keys.promote(&org, new).unwrap();
    keys.reencrypt(&org, 10).for_each(|progress| {
        progress.unwrap();
    });
    keys.retire(&org, stolen).unwrap();
    keys.destroy(&org, stolen).unwrap();
}

/// It has the new key as a pending one, so that everything opens.
#[test]
fn an_old_keyring_is_found_and_refused_by_whoever_knew_the_new_one() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let mut old = None;
    replace_data_key(&secrets, || old = Some(home.keyring()));
    assert_eq!(findings(&home.process()), []);
    home.put_back(old.unwrap());
    get(&home.process(), "acme:a").unwrap();
    assert_eq!(findings(&home.process()), [Finding::OldKeyring { found: 2, recorded: 5 }]);
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::RolledBack));
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::RolledBack), "and it stays so");
    assert_eq!(secrets.keys().status(id("acme:a").org()).unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(secrets.keys().rewrap().unwrap_err().kind(), ErrorKind::RolledBack);
}

#[test]
fn the_keyring_of_an_org_that_was_erased_is_found_where_it_is_put_back() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let old = home.keyring();
    secrets.keys().destroy_all(id("acme:a").org()).unwrap();
    home.put_back(old);
    assert_eq!(findings(&home.process()), [Finding::OldKeyring { found: 1, recorded: 2 }]);
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::UnknownKey));
}
