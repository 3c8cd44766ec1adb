//! An old copy of a store in the place of the new one: refused with an anchor, and not noticed without.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit::seal::KeyUse;
use secretkit::{
    Access, ErrorKind, Existing, FileAnchor, PutMode, RootKey, SecretId, SecretValue, Secrets, SqliteStore,
};

struct Home {
    directory: tempfile::TempDir,
    key: Arc<RootKey>,
}

impl Home {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), key: Arc::new(RootKey::generate().unwrap()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn bare(&self) -> Secrets {
        let store = Arc::new(SqliteStore::create(&self.path("secrets.db")).unwrap());
        Secrets::new(store, Arc::clone(&self.key) as _, Access::Unrestricted)
    }

    fn anchored(&self) -> Secrets {
        self.bare().with_anchor(Arc::new(FileAnchor::new(self.path("anchor"))))
    }

    /// The whole store as it is now; its log is in the main file, because nobody has it open.
    fn copied(&self, name: &str) {
        fs::copy(self.path("secrets.db"), self.path(name)).unwrap();
    }

    fn restored(&self, name: &str) {
        fs::copy(self.path(name), self.path("secrets.db")).unwrap();
    }
}

fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

fn put(secrets: &Secrets, name: &str, value: &str) {
    secrets.put(&id(name), &SecretValue::copied_from(value.as_bytes()), PutMode::Overwrite).unwrap();
}

fn got(secrets: &Secrets, name: &str) -> Result<Vec<u8>, ErrorKind> {
    secrets.get(&id(name)).map(|found| found.value.expose_secret().to_vec()).map_err(|error| error.kind())
}

#[test]
fn an_old_copy_is_refused_where_an_anchor_is() {
    let home = Home::new();
    put(&home.anchored(), "acme:token", "old");
    home.copied("yesterday.db");
    put(&home.anchored(), "acme:token", "new");
    assert_eq!(got(&home.anchored(), "acme:token").unwrap(), b"new");
    home.copied("today.db");

    home.restored("yesterday.db");
    let secrets = home.anchored();
    assert_eq!(got(&secrets, "acme:token"), Err(ErrorKind::RolledBack));
    let refused = secrets.put(&id("acme:token"), &SecretValue::copied_from(b"x"), PutMode::Overwrite);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::RolledBack);
    assert!(secrets.verify(id("acme:a").org()).next().unwrap().is_err());
    drop(secrets);

    home.restored("today.db");
    assert_eq!(got(&home.anchored(), "acme:token").unwrap(), b"new");
}

/// Otherwise two of them would make a lane longer than the anchor knows, and the old copy the true one.
#[test]
fn the_keys_of_an_old_copy_are_not_kept_either() {
    let home = Home::new();
    put(&home.anchored(), "acme:token", "old");
    home.copied("yesterday.db");
    put(&home.anchored(), "acme:token", "new");
    home.restored("yesterday.db");
    let secrets = home.anchored();
    let (keys, org) = (secrets.keys(), id("acme:a").org().clone());
    for outcome in [
        keys.add(&org, KeyUse::Data).map(drop),
        keys.status(&org).map(drop),
        keys.rewrap().map(drop),
        keys.destroy_all(&org),
        keys.reencrypt(&org, 10).try_for_each(|batch| batch.map(drop)),
    ] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::RolledBack);
    }
}

#[test]
fn an_old_copy_under_a_running_process_is_refused_by_its_next_write() {
    let home = Home::new();
    let secrets = home.anchored();
    put(&secrets, "acme:token", "old");
    let store = SqliteStore::open(&home.path("secrets.db")).unwrap();
    store.backup(&home.path("yesterday.db"), Existing::Refuse).unwrap();
    drop(store);
    put(&secrets, "acme:token", "new");
    fs::rename(home.path("yesterday.db"), home.path("secrets.db")).unwrap();
    // With its log, from which the old file would become the new one again.
    ["secrets.db-wal", "secrets.db-shm"].iter().for_each(|name| fs::remove_file(home.path(name)).unwrap());
    let write = || secrets.put(&id("acme:token"), &SecretValue::copied_from(b"x"), PutMode::Overwrite);
    assert_eq!(write().unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(write().unwrap_err().kind(), ErrorKind::RolledBack, "and it stays so");
    assert_eq!(got(&home.anchored(), "acme:token"), Err(ErrorKind::RolledBack));
}

/// `SECURITY.md` says so: an old copy is whole and authentic in itself.
#[test]
fn an_old_copy_is_not_noticed_where_no_anchor_is() {
    let home = Home::new();
    put(&home.bare(), "acme:token", "old");
    home.copied("yesterday.db");
    put(&home.bare(), "acme:token", "new");
    home.restored("yesterday.db");
    assert_eq!(got(&home.bare(), "acme:token").unwrap(), b"old");
    let told: Vec<_> = home.bare().verify(id("acme:a").org()).map(|told| format!("{:?}", told.unwrap())).collect();
    assert!(told.iter().all(|line| !line.contains("Wrong")), "{told:?}");
}

#[test]
fn another_way_of_the_same_length_is_refused() {
    let home = Home::new();
    put(&home.anchored(), "acme:token", "common");
    home.copied("fork.db");
    put(&home.anchored(), "acme:token", "one");
    // The same number of writes, but other ones.
    home.restored("fork.db");
    put(&home.bare(), "acme:token", "two");
    assert_eq!(got(&home.anchored(), "acme:token"), Err(ErrorKind::RolledBack));
}

#[test]
fn a_store_that_is_ahead_is_taken() {
    let home = Home::new();
    put(&home.anchored(), "acme:a", "one");
    // A process without the anchor, or one that was killed before it could write it.
    put(&home.bare(), "acme:a", "two");
    put(&home.bare(), "other:b", "three");
    let secrets = home.anchored();
    assert_eq!(got(&secrets, "acme:a").unwrap(), b"two");
    assert_eq!(got(&secrets, "other:b").unwrap(), b"three");
    put(&secrets, "acme:c", "four");
    assert!(secrets.anchor_lag().is_none());
}

#[test]
fn another_store_under_the_anchor_is_refused() {
    let home = Home::new();
    put(&home.anchored(), "acme:token", "ours");
    fs::remove_file(home.path("secrets.db")).unwrap();
    put(&home.bare(), "acme:token", "theirs");
    assert_eq!(got(&home.anchored(), "acme:token"), Err(ErrorKind::UnsafeStore));
}

#[test]
fn an_anchor_that_cannot_be_written_is_told_and_loses_nothing() {
    let home = Home::new();
    put(&home.anchored(), "acme:a", "one");
    let lost = home.path("unwritable").join("anchor");
    let secrets = home.bare().with_anchor(Arc::new(FileAnchor::new(lost.clone())));
    put(&secrets, "acme:a", "two");
    assert!(secrets.anchor_lag().unwrap().contains("unwritable"));
    assert_eq!(got(&secrets, "acme:a").unwrap(), b"two");
    assert!(!Path::new(&lost).exists());
}
