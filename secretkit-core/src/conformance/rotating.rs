//! Keys that change while secrets are read and written, as an application does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Factory;
use super::sample::{Finished, fetch, id, org, revision};
use crate::error::ErrorKind;
use crate::id::SecretId;
use crate::part::Part;
use crate::people::Access;
use crate::seal::{KeyId, KeyProvider, KeyState, KeyUse, RootKey, RootKeys};
use crate::secrets::{Finding, PutMode, Secrets, Verified};
use crate::store::{Lane, SecretStore, Target, Token, UsageRecord, Within};
use crate::time::Timestamp;
use crate::value::SecretValue;

const ROTATED: [KeyUse; 3] = [KeyUse::Data, KeyUse::Meta, KeyUse::Digest];

/// All keyrings at once, and not one value touched.
pub fn a_rewrap_needs_the_old_root_key_no_more(factory: &Factory<'_>) {
    let (store, old, new) = (factory(), root(), root());
    let before = opened(&store, Arc::clone(&old) as _);
    for address in ["acme:a", "other/p:b", "third/p/d:c"] {
        put(&before, address, "value");
    }
    let record = || fetch(&*store, Target::Exact(id("acme:a")), None).unwrap().record.sealed;
    let sealed = record();
    let both = RootKeys::new(Arc::clone(&new) as _).with_previous(Arc::clone(&old) as _);
    let both = opened(&store, Arc::new(both));
    assert_eq!(got(&both, "acme:a"), "value", "one that knows both reads before and after");
    assert_eq!(both.keys().rewrap().unwrap(), 3);
    assert_eq!(got(&both, "acme:a"), "value");
    let after = opened(&store, Arc::clone(&new) as _);
    for address in ["acme:a", "other/p:b", "third/p/d:c"] {
        assert_eq!(got(&after, address), "value");
    }
    assert!(record() == sealed, "no record was written");
    let late = opened(&store, Arc::clone(&old) as _);
    assert_eq!(late.get(&id("acme:a")).unwrap_err().kind(), ErrorKind::WrongRootKey);
    assert_eq!(late.keys().rewrap().unwrap_err().kind(), ErrorKind::WrongRootKey);
    assert_eq!(got(&before, "acme:a"), "value", "a process that has the keys already goes on");
    before.update(&id("acme:a"), &value("late")).unwrap_err();
    assert_eq!(after.keys().orgs().unwrap().len(), 3);
    assert!(after.keys().orgs().unwrap().iter().all(|(_, kek)| kek.as_str() == new.id().to_string()));
}

/// Who has one org's root key opens that org and no other.
pub fn every_org_may_have_a_root_key_of_its_own(factory: &Factory<'_>) {
    let (store, common, own) = (factory(), root(), root());
    let host = RootKeys::new(Arc::clone(&common) as _).with_own(org("acme"), Arc::clone(&own) as _);
    let host = opened(&store, Arc::new(host));
    put(&host, "acme:a", "ours");
    put(&host, "other:a", "theirs");
    let (tenant, rest) = (opened(&store, own), opened(&store, common));
    assert_eq!(got(&tenant, "acme:a"), "ours");
    assert_eq!(got(&rest, "other:a"), "theirs");
    assert_eq!(tenant.get(&id("other:a")).unwrap_err().kind(), ErrorKind::WrongRootKey);
    assert_eq!(rest.get(&id("acme:a")).unwrap_err().kind(), ErrorKind::WrongRootKey);
}

/// The events of every org carry the token by which the whole commit is found.
pub fn a_rewrap_is_one_commit_by_its_token(factory: &Factory<'_>) {
    let store = factory();
    let secrets = opened(&store, root());
    let orgs = ["acme", "other", "third"].map(org);
    for org in &orgs {
        put(&secrets, &format!("{org}:a"), "value");
    }
    let tokens = || -> Vec<Vec<Token>> {
        let of_lane = |of: &Part, (lane, _): (Lane, _)| store.events(of, lane, 0, 100).unwrap();
        let of_org = |of: &Part| {
            let lanes = store.lanes(of).unwrap().into_iter();
            lanes.flat_map(|lane| of_lane(of, lane)).map(|event| event.token).collect()
        };
        orgs.iter().map(of_org).collect()
    };
    let before = tokens();
    assert_eq!(secrets.keys().rewrap().unwrap(), 3);
    let added = tokens().into_iter().zip(before).flat_map(|(mut after, before)| {
        after.retain(|token| !before.contains(token));
        after
    });
    let added: Vec<_> = added.collect();
    assert_eq!(added.len(), 3);
    assert!(added.iter().all(|token| *token == added[0]));
    assert!(orgs.iter().all(|of| secrets.outcome(of, &added[0]).unwrap()));
}

/// Pending, primary, decrypt-only, retired, destroyed; each step only from the state before it.
pub fn a_key_goes_through_its_whole_life(factory: &Factory<'_>) {
    let (secrets, acme) = (opened(&factory(), root()), org("acme"));
    put(&secrets, "acme:a", "value");
    let keys = secrets.keys();
    for used_for in ROTATED {
        let old = primary(&secrets, used_for);
        let refused = |outcome: crate::Result<()>| assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidRequest);
        refused(keys.promote(&acme, old));
        refused(keys.retire(&acme, old));
        let new = keys.add(&acme, used_for).unwrap();
        assert_eq!((new.used_for, new.state), (used_for, KeyState::Pending));
        refused(keys.add(&acme, used_for).map(drop));
        refused(keys.destroy(&acme, new.id));
        keys.promote(&acme, new.id).unwrap();
        assert_eq!(primary(&secrets, used_for), new.id);
        let status = keys.status(&acme).unwrap();
        assert_eq!(status.in_state(used_for, KeyState::DecryptOnly).map(|info| info.id).collect::<Vec<_>>(), [old]);
        assert_eq!(keys.retire(&acme, old).unwrap_err().kind(), ErrorKind::InUse);
        assert_eq!(got(&secrets, "acme:a"), "value");
        rotate(&secrets);
        keys.retire(&acme, old).unwrap();
        refused(keys.promote(&acme, old));
        keys.destroy(&acme, old).unwrap();
        refused(keys.destroy(&acme, old));
        assert_eq!(got(&secrets, "acme:a"), "value");
    }
    let unknown = KeyId::from_bytes([7; 16]);
    assert_eq!(keys.promote(&acme, unknown).unwrap_err().kind(), ErrorKind::NotFound);
    let status = keys.status(&acme).unwrap();
    assert_eq!(status.keys.iter().filter(|(info, _)| info.state == KeyState::Destroyed).count(), 3);
    assert!(keys.status(&org("never")).is_err());
}

/// Values, revisions, generations, ids, times and people stay, and consumers and uses hold.
pub fn a_rotation_changes_nothing_that_a_caller_sees(factory: &Factory<'_>) {
    let secrets = opened(&factory(), root());
    let at = id("acme/etl:token");
    for text in ["one", "two", "three"] {
        put(&secrets, "acme/etl:token", text);
    }
    put(&secrets, "acme:other", "x");
    secrets.add_consumer(&at, &"job".parse().unwrap()).unwrap();
    assert_eq!(got(&secrets, "acme/etl:token"), "three");
    secrets.record_uses();
    let before = secrets.info(&at).unwrap();
    for used_for in [KeyUse::Data, KeyUse::Meta] {
        let old = primary(&secrets, used_for);
        secrets.keys().promote(&org("acme"), secrets.keys().add(&org("acme"), used_for).unwrap().id).unwrap();
        rotate(&secrets);
        retired(&secrets, old);
    }
    let after = secrets.info(&at).unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(before.digest.to_bytes(), after.digest.to_bytes());
    for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
        let opened = secrets.get_revision(&at, revision(number)).unwrap();
        assert_eq!(opened.value.expose_secret(), text.as_bytes());
    }
    assert_eq!(secrets.history(&at).unwrap().len(), 3);
    assert_eq!(secrets.consumers(&at).unwrap().len(), 1);
    let listed: Vec<_> = secrets.list(Within::Org(org("acme")), 10).flat_map(Result::unwrap).collect();
    assert_eq!(listed.len(), 2);
    // Who read it before the rotation may write over it after: its generation is the same.
    secrets.put(&at, &value("four"), PutMode::Update(before.generation)).unwrap();
}

/// Whoever may read a secret may write its last use: what is none is not shown, and holds up no listing and no rotation.
pub fn a_forged_last_use_holds_up_nothing(factory: &Factory<'_>) {
    let (store, acme) = (factory(), org("acme"));
    let secrets = opened(&store, root());
    for address in ["acme:a", "acme:b", "acme:c", "acme:d", "acme:e"] {
        put(&secrets, address, "value");
        assert_eq!(got(&secrets, address), "value");
    }
    secrets.record_uses();
    let used = |address: &str| secrets.info(&id(address)).unwrap().last_used().map(|used| used.at);
    let (old, genuine) = (primary(&secrets, KeyUse::Meta), used("acme:e").unwrap());
    let forge = |address: &str, forged: &dyn Fn(&mut UsageRecord)| {
        let of = secrets.info(&id(address)).unwrap().id;
        let mut row = store.uses(&acme, &[of]).unwrap().remove(0).unwrap();
        forged(&mut row);
        store.touch(&acme, store.keyring(&acme).unwrap().unwrap().stamp(), &[row]).unwrap();
    };
    forge("acme:a", &|row| row.used.at = Timestamp::from_micros(i64::MAX));
    forge("acme:b", &|row| row.mac.tag[0] ^= 1);
    forge("acme:c", &|row| row.mac.key = KeyId::from_bytes([7; 16]));
    forge("acme:d", &|row| row.mac.key = primary(&secrets, KeyUse::Data));
    let shown = || {
        let listed: Vec<_> = secrets.list(Within::Org(acme.clone()), 2).flat_map(Result::unwrap).collect();
        let uses: Vec<_> = listed.iter().map(|info| info.last_used().map(|used| used.at)).collect();
        assert_eq!(uses, [None, None, None, None, Some(genuine)]);
    };
    shown();
    secrets.add_consumer(&id("acme:a"), &"job".parse().unwrap()).unwrap();
    // Also where they name the keys that are to go.
    secrets.keys().promote(&acme, secrets.keys().add(&acme, KeyUse::Meta).unwrap().id).unwrap();
    rotate(&secrets);
    retired(&secrets, old);
    shown();
    secrets.keys().destroy(&acme, old).unwrap();
    shown();
    let found = secrets.verify(&acme).flat_map(Result::unwrap);
    let found: Vec<_> = found.filter(|told| !matches!(told, Verified::Progress(_))).collect();
    let is_found = |address: &str| {
        let of = secrets.info(&id(address)).unwrap().id.to_string();
        found.iter().any(|told| matches!(told, Verified::Wrong(Finding::Damaged(what)) if what.contains(&of)))
    };
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(["acme:a", "acme:b", "acme:c", "acme:d"].into_iter().all(is_found), "{found:?}");
}

/// Then every digest is another one, and still the fingerprint of its value.
pub fn a_digest_changes_with_its_key_alone(factory: &Factory<'_>) {
    let secrets = opened(&factory(), root());
    let at = id("acme:a");
    put(&secrets, "acme:a", "one");
    put(&secrets, "acme:a", "two");
    let digests = || secrets.history(&at).unwrap().iter().map(|row| row.digest.to_bytes()).collect::<Vec<_>>();
    let before = digests();
    let old = primary(&secrets, KeyUse::Digest);
    secrets.keys().promote(&org("acme"), secrets.keys().add(&org("acme"), KeyUse::Digest).unwrap().id).unwrap();
    assert_eq!(digests(), before);
    rotate(&secrets);
    retired(&secrets, old);
    assert!(digests().iter().all(|digest| !before.contains(digest)));
    assert!(secrets.verify_value(&at, &value("two")).unwrap());
    assert!(!secrets.verify_value(&at, &value("one")).unwrap());
    secrets.rollback(&at, revision(1), None).unwrap();
    let now = digests();
    assert_eq!(now[0], now[2]);
}

/// In small batches, stopped after the first, and with nothing left to do in the end.
pub fn a_reencryption_goes_on_where_it_was_left(factory: &Factory<'_>) {
    let secrets = opened(&factory(), root());
    for number in 0..25 {
        put(&secrets, &format!("acme/p{}:k{number:02}", number % 3), "value");
    }
    put(&secrets, "other:a", "another org's");
    let old = primary(&secrets, KeyUse::Data);
    secrets.keys().promote(&org("acme"), secrets.keys().add(&org("acme"), KeyUse::Data).unwrap().id).unwrap();
    let first = secrets.keys().reencrypt(&org("acme"), 10).next().unwrap().unwrap();
    assert_eq!((first.checked, first.rewritten), (10, 10));
    let second = secrets.keys().reencrypt(&org("acme"), 10).map(Result::unwrap).last().unwrap();
    assert_eq!((second.checked, second.rewritten), (25, 15));
    let third = secrets.keys().reencrypt(&org("acme"), 100).map(Result::unwrap).last().unwrap();
    assert_eq!((third.checked, third.rewritten), (25, 0));
    retired(&secrets, old);
    assert_eq!(got(&secrets, "other:a"), "another org's");
    assert!(secrets.keys().reencrypt(&org("never"), 10).next().is_none());
}

/// That nothing stands under it is found in the very commit that retires it.
pub fn a_key_in_use_is_not_retired(factory: &Factory<'_>) {
    let (secrets, acme) = (opened(&factory(), root()), org("acme"));
    put(&secrets, "acme:a", "one");
    put(&secrets, "acme:a", "two");
    let old = primary(&secrets, KeyUse::Data);
    secrets.keys().promote(&acme, secrets.keys().add(&acme, KeyUse::Data).unwrap().id).unwrap();
    put(&secrets, "acme:a", "three");
    let status = secrets.keys().status(&acme).unwrap();
    assert_eq!(status.keys.iter().find(|(info, _)| info.id == old).unwrap().1, 2, "the superseded values");
    assert_eq!(secrets.keys().retire(&acme, old).unwrap_err().kind(), ErrorKind::InUse);
    secrets.prune(&id("acme:a"), 0).unwrap();
    secrets.keys().retire(&acme, old).unwrap();
}

/// Nobody meets an error, and no value is lost.
pub fn readers_and_writers_go_on_during_a_rotation(factory: &Factory<'_>) {
    let (store, root) = (factory(), root());
    let rotating = opened(&store, Arc::clone(&root) as _);
    let addresses: Vec<_> = (0..4).map(|number| format!("acme/p:k{number}")).collect();
    addresses.iter().for_each(|address| put(&rotating, address, "0"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for address in &addresses {
            let (secrets, done) = (opened(&store, Arc::clone(&root) as _), &done);
            scope.spawn(move || {
                for written in 0.. {
                    assert_eq!(got(&secrets, address), written.to_string());
                    if written > 0 && done.load(Ordering::Relaxed) {
                        break;
                    }
                    put(&secrets, address, &(written + 1).to_string());
                }
            });
        }
        let _finished = Finished(&done);
        for round in 0..4 {
            let old = ROTATED.map(|used_for| primary(&rotating, used_for));
            for used_for in ROTATED {
                let new = rotating.keys().add(&org("acme"), used_for).unwrap();
                rotating.keys().promote(&org("acme"), new.id).unwrap();
            }
            rotate(&rotating);
            if round % 2 == 0 {
                assert_eq!(rotating.keys().rewrap().unwrap(), 1);
            }
            old.iter().for_each(|key| retired(&rotating, *key));
        }
    });
}

/// Neither values nor digests, by nobody, and nothing new can be written; other orgs are not concerned.
pub fn an_org_whose_keys_are_destroyed_opens_never_again(factory: &Factory<'_>) {
    let (store, root) = (factory(), root());
    let secrets = opened(&store, Arc::clone(&root) as _);
    put(&secrets, "acme:a", "value");
    put(&secrets, "other:a", "value");
    secrets.keys().destroy_all(&org("acme")).unwrap();
    for secrets in [&secrets, &opened(&store, root)] {
        assert_eq!(secrets.get(&id("acme:a")).unwrap_err().kind(), ErrorKind::UnknownKey);
        assert!(secrets.verify_value(&id("acme:a"), &value("value")).is_err());
        assert!(secrets.info(&id("acme:a")).is_err());
        for address in ["acme:a", "acme:new"] {
            assert!(secrets.put(&id(address), &value("new"), PutMode::Overwrite).is_err());
        }
        assert_eq!(got(secrets, "other:a"), "value");
    }
    assert_eq!(secrets.keys().rewrap().unwrap(), 2, "its keyring goes on with the others");
    assert_eq!(got(&secrets, "other:a"), "value");
    let status = secrets.keys().status(&org("acme")).unwrap();
    assert!(status.keys.iter().all(|(info, _)| info.state == KeyState::Destroyed));
}

fn root() -> Arc<RootKey> {
    Arc::new(RootKey::generate().unwrap())
}

fn opened(store: &Arc<dyn SecretStore>, provider: Arc<dyn KeyProvider>) -> Secrets {
    Secrets::new(Arc::clone(store), provider, Access::Unrestricted)
}

fn primary(secrets: &Secrets, used_for: KeyUse) -> KeyId {
    let status = secrets.keys().status(&org("acme")).unwrap();
    let mut primaries = status.in_state(used_for, KeyState::Primary);
    let primary = primaries.next().unwrap().id;
    assert!(primaries.next().is_none(), "one for each use");
    primary
}

fn rotate(secrets: &Secrets) {
    secrets.keys().reencrypt(&org("acme"), 7).for_each(|progress| {
        progress.unwrap();
    });
}

/// Until nothing stands under it any more: a writer that was faster than the last run may have left something.
fn retired(secrets: &Secrets, key: KeyId) {
    for _ in 0..20 {
        match secrets.keys().retire(&org("acme"), key) {
            Ok(()) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::InUse),
        }
        rotate(secrets);
    }
    panic!("key {key} stays in use");
}

fn put(secrets: &Secrets, address: &str, text: &str) {
    secrets.put(&id(address), &value(text), PutMode::Overwrite).unwrap();
}

fn got(secrets: &Secrets, address: &str) -> String {
    let address: SecretId = id(address);
    String::from_utf8(secrets.get(&address).unwrap().value.expose_secret().to_vec()).unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}
