//! The root key of all orgs, and those of single ones.

use std::sync::Arc;

use super::Factory;
use super::sample::{apply, id, org};
use crate::error::{ErrorKind, Result};
use crate::people::Access;
use crate::seal::{KeyProvider, OrgKeys, RootKey, RootKeys};
use crate::secrets::{PutMode, Resolved, Secrets};
use crate::store::{Change, SecretStore};
use crate::time::Timestamp;
use crate::value::SecretValue;

/// Who has the root key of all orgs and can write the store puts nothing in the place of an org that has its own.
pub fn an_orgs_own_root_key_is_not_overridden(factory: &Factory<'_>) {
    let (store, shared, own) = (factory(), root(), root());
    let host = || opened(&store, RootKeys::new(shared.clone()).with_own(org("acme"), own.clone()));
    let running = host();
    let genuine = put(&running, "acme:db", "genuine").unwrap();
    let (_, keyring) =
        OrgKeys::create(store.info().unwrap().id, &org("acme"), &*shared, Timestamp::from_micros(1)).unwrap();
    apply(&*store, &[Change::Delete(org("acme"), genuine), Change::Keyring(keyring)]);
    let meddler = opened(&store, RootKeys::new(shared.clone()));
    put(&meddler, "acme:db", "forged").unwrap();
    for host in [running, host()] {
        refused(host.get(&id("acme:db")));
        assert_eq!(put(&host, "acme:new", "s3cret").unwrap_err().kind(), ErrorKind::WrongRootKey);
        assert_eq!(host.keys().rewrap().unwrap_err().kind(), ErrorKind::WrongRootKey);
    }
    assert_eq!(meddler.get(&id("acme:new")).unwrap_err().kind(), ErrorKind::NotFound);
}

/// The one of all orgs opens it on the way, where it is named as one of before; and so back again.
pub fn an_org_is_given_a_root_key_of_its_own(factory: &Factory<'_>) {
    let (store, shared, own) = (factory(), root(), root());
    let common = opened(&store, RootKeys::new(shared.clone()));
    for address in ["acme:a", "other:a"] {
        put(&common, address, "value").unwrap();
    }
    let with_own = || RootKeys::new(shared.clone()).with_own(org("acme"), own.clone());
    let told = refused(opened(&store, with_own()).get(&id("acme:a")));
    assert!(told.contains("name the other as a previous root key"), "{told}");
    assert!(told.contains(&shared.id().to_string()) && told.contains(&own.id().to_string()), "{told}");
    let moving = opened(&store, with_own().with_previous(shared.clone()));
    reads(&moving, "acme:a");
    assert_eq!(moving.keys().rewrap().unwrap(), 2);
    for address in ["acme:a", "other:a"] {
        reads(&opened(&store, with_own()), address);
    }
    reads(&opened(&store, RootKeys::new(own.clone())), "acme:a");
    refused(opened(&store, RootKeys::new(shared.clone())).get(&id("acme:a")));
    let back = opened(&store, RootKeys::new(shared.clone()).with_previous(own.clone()));
    assert_eq!(back.keys().rewrap().unwrap(), 2);
    reads(&opened(&store, RootKeys::new(shared.clone())), "acme:a");
    refused(opened(&store, with_own()).get(&id("acme:a")));
}

fn root() -> Arc<RootKey> {
    Arc::new(RootKey::generate().unwrap())
}

fn opened(store: &Arc<dyn SecretStore>, keys: RootKeys) -> Secrets {
    let keys: Arc<dyn KeyProvider> = Arc::new(keys);
    Secrets::new(Arc::clone(store), keys, Access::Unrestricted)
}

fn put(secrets: &Secrets, address: &str, text: &str) -> Result<crate::id::StableId> {
    secrets.put(&id(address), &SecretValue::copied_from(text.as_bytes()), PutMode::Overwrite).map(|info| info.id)
}

#[track_caller]
fn reads(secrets: &Secrets, address: &str) {
    assert_eq!(secrets.get(&id(address)).unwrap().value.expose_secret(), b"value");
}

#[track_caller]
fn refused(outcome: Result<Resolved>) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongRootKey);
    error.to_string()
}
