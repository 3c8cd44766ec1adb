//! How much is held at a time: more values than are read at once, and more bytes than go into a commit.

use std::sync::Arc;

use crate::digest::Digest;
use crate::memory::MemoryStore;
use crate::people::Access;
use crate::record::SecretRecord;
use crate::seal::{OrgKeys, RootKey};
use crate::secrets::{Copied, CopyFinding, CopyProgress, PutMode, Secrets};
use crate::store::{Batch, Change, Commit, SecretStore, Target, Want};
use crate::value::SecretValue;
use crate::{Part, PartKind, SecretId};

fn opened() -> Secrets {
    Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
        .with_keep(1000)
        .with_value_limit(SecretValue::MAX_BYTES)
}

fn put(secrets: &Secrets, name: usize, value: &[u8]) {
    let id: SecretId = format!("acme:k{name:02}").parse().unwrap();
    secrets.put(&id, &SecretValue::copied_from(value), PutMode::Overwrite).unwrap();
}

/// A copy that leaves nothing out.
fn copied(new: &Secrets, old: &Secrets) -> CopyProgress {
    let mut last = CopyProgress::default();
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    for told in new.copy_from(old, &org, 100).flat_map(Result::unwrap) {
        match told {
            Copied::Progress(progress) => last = progress,
            Copied::Left(finding) => panic!("{finding}"),
        }
    }
    last
}

/// The second pass of a copy opens and compares every one of them.
#[test]
fn secrets_with_more_values_than_are_read_at_once() {
    let (old, new) = (opened(), opened());
    // Alone more than are read at once, some that are just not, one that has one, and again.
    for (name, values) in [300, 1, 200, 56, 1, 57, 100, 257].into_iter().enumerate() {
        for number in 0..values {
            put(&old, name, format!("{name} {number}").as_bytes());
        }
    }
    let progress = copied(&new, &old);
    assert_eq!((progress.checked, progress.copied, progress.compared), (8, 8, 8));
    put(&old, 2, b"later");
    put(&old, 7, b"later");
    let progress = copied(&new, &old);
    assert_eq!((progress.checked, progress.copied, progress.compared), (8, 2, 8));
}

#[test]
fn secrets_with_more_bytes_than_a_commit_holds() {
    let (old, new) = (opened(), opened());
    // One of them alone.
    for (name, values) in [2, 6, 1, 2].into_iter().enumerate() {
        for number in 0..values {
            put(&old, name, &[number; SecretValue::MAX_BYTES]);
        }
    }
    let progress = copied(&new, &old);
    assert_eq!((progress.checked, progress.copied, progress.compared), (4, 4, 4));
}

#[test]
fn a_last_use_that_does_not_verify_is_left_behind_alone() {
    let (old, new) = (opened(), opened());
    let ids = [0, 1].map(|name| {
        put(&old, name, b"value");
        let id: SecretId = format!("acme:k{name:02}").parse().unwrap();
        drop(old.get(&id).unwrap());
        id
    });
    old.record_uses();
    let (org, store) = (ids[0].org(), old.store());
    let mut forged = store.uses(org, &[old.info(&ids[0]).unwrap().id]).unwrap().remove(0).unwrap();
    forged.used.by = crate::people::Actor::parse("somebody").unwrap();
    store.touch(org, store.keyring(org).unwrap().unwrap().stamp(), &[forged]).unwrap();
    for copies in [2, 0] {
        let progress = copied(&new, &old);
        assert_eq!((progress.checked, progress.copied, progress.compared), (2, copies, 2));
    }
    let used = ids.map(|id| new.info(&id).unwrap().last_used().is_some());
    assert_eq!(used, [false, true]);
}

/// Whoever wrote it had the target's keys, and every column of its head is as it was.
#[test]
fn another_value_under_the_same_revision_is_told() {
    let (store, root, old) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()), opened());
    let new = Secrets::new(Arc::clone(&store) as _, Arc::clone(&root) as _, Access::Unrestricted);
    put(&old, 0, b"value");
    assert_eq!(copied(&new, &old).copied, 1);
    let id: SecretId = "acme:k00".parse().unwrap();
    let want = Want { target: Target::Exact(id.clone()), revision: None };
    let SecretRecord { mut head, .. } = store.fetch(&[want]).unwrap().remove(0).unwrap().record;
    let row = store.keyring(id.org()).unwrap().unwrap();
    let keys = OrgKeys::open(store.info().unwrap().id, &row, &*root).unwrap();
    let other = SecretValue::copied_from(b"other");
    head.digest = Digest(keys.digest(&id, &other, None).unwrap());
    let sealed = keys.seal(&id, &head.id, head.revision, &other).unwrap();
    let mac = head.sign(&keys, sealed.commitment()).unwrap();
    let changes = vec![Change::Replace(SecretRecord { head, mac, sealed }, None)];
    assert_eq!(store.commit(&Batch { changes, ..Batch::default() }).unwrap(), Commit::Applied);
    assert_eq!(new.get(&id).unwrap().value.expose_secret(), b"other");
    let told = new.copy_from(&old, id.org(), 100).flat_map(Result::unwrap);
    let left: Vec<_> = told.filter(|told| matches!(told, Copied::Left(_))).collect();
    assert!(matches!(&left[..], [Copied::Left(CopyFinding::Changed { address, .. })] if *address == id), "{left:?}");
    assert_eq!(new.get(&id).unwrap().value.expose_secret(), b"other");
}
