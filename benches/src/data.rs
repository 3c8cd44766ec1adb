//! Stores with many secrets, filled past the façade in large batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secretkit::store::{Batch, Change, Target, Want};
use secretkit::{
    Access, PutMode, RootKey, SecretId, SecretRecord, SecretStore, SecretValue, Secrets, SqliteStore, StableId,
};
use secretkit_core::internals::Keys;

use crate::Outcome;

/// The org that everything is in.
pub(crate) const ORG: &str = "acme";
pub(crate) const VALUE: &[u8; 32] = b"thirty-two bytes of secret value";

/// Names from one end of the store to the other.
pub(crate) fn id(number: u64) -> Outcome<SecretId> {
    Ok(format!("{ORG}/project{}/production:secret{number:07}", number % 1_000).parse()?)
}

pub(crate) fn secrets(store: Arc<dyn SecretStore>, root: &Arc<RootKey>) -> Secrets {
    Secrets::new(store, Arc::clone(root) as _, Access::Unrestricted)
}

/// Fills a store with this many secrets.
pub(crate) fn fill(store: &Arc<dyn SecretStore>, root: &Arc<RootKey>, count: u64) -> Outcome {
    let secrets = secrets(Arc::clone(store), root);
    let value = SecretValue::copied_from(VALUE);
    secrets.put(&id(0)?, &value, PutMode::Create)?;
    let keys = Keys::of(&**store, id(0)?.org(), &**root)?;
    let sample = record(&**store, &id(0)?)?;
    for start in (1..count).step_by(20_000) {
        let mut changes = Vec::new();
        for number in start..count.min(start + 20_000) {
            let mut record = sample.clone();
            record.head.address = id(number)?;
            record.head.id = StableId::from_bytes(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            changes.push(Change::Insert(keys.signed(record, &value)?));
        }
        let _ = store.commit(&Batch { expectations: Vec::new(), changes })?;
    }
    Ok(())
}

pub(crate) fn record(store: &dyn SecretStore, id: &SecretId) -> Outcome<SecretRecord> {
    let want = Want { target: Target::Exact(id.clone()), revision: None };
    let fetched = store.fetch(&[want])?.pop().flatten().ok_or("it is not there")?;
    Ok(fetched.record)
}

/// A store in a file, and its key.
pub(crate) struct Filled {
    pub(crate) store: PathBuf,
    pub(crate) key: PathBuf,
}

/// A file with this many secrets, made once and kept in `target/bench-data`.
pub(crate) fn file_with(count: u64) -> Outcome<Filled> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/bench-data/{count}"));
    let filled = Filled { store: directory.join("secrets.db"), key: directory.join("root.key") };
    if !directory.exists() {
        let unfinished = directory.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        let root = secretkit::create_root_key(&unfinished.join("root.key"))?;
        let store: Arc<dyn SecretStore> = Arc::new(SqliteStore::create(&unfinished.join("secrets.db"))?);
        if count > 0 {
            fill(&store, &Arc::new(root), count)?;
        }
        drop(store);
        std::fs::rename(&unfinished, &directory)?;
    }
    Ok(filled)
}

impl Filled {
    pub(crate) fn open(&self) -> Outcome<(Arc<SqliteStore>, Arc<RootKey>)> {
        Ok((Arc::new(SqliteStore::open(&self.store)?), Arc::new(RootKey::from_file(&self.key)?)))
    }
}
