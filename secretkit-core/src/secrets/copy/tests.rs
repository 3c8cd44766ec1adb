//! How much is held at a time: more values than are read at once, and more bytes than go into a commit.

use std::sync::Arc;

use crate::memory::MemoryStore;
use crate::people::Access;
use crate::seal::RootKey;
use crate::secrets::{Copied, CopyProgress, PutMode, Secrets};
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
