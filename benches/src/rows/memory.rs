//! The façade over a store that costs next to nothing.

use std::sync::Arc;
use std::time::Duration;

use secretkit::store::{Target as Which, Want};
use secretkit::{Access, MemoryStore, MetadataEdit, RootKey, SecretId, SecretRequest, SecretStore, Secrets};
use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::fill::{TASK, address, fill, org};
use crate::measure::{far_apart, fastest, repeat};
use crate::plan::Plan;
use crate::table::{Table, Target};

const COUNT: u32 = 100_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    get(plan, table)?;
    resolve(plan, table)
}

fn get(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "get, MemoryStore, 100,000 secrets";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (store, root) = (Arc::new(MemoryStore::new()) as Arc<dyn SecretStore>, Arc::new(RootKey::generate()?));
    let scope = TASK.parse()?;
    fill(&store, root.clone(), &scope, COUNT, 32, &MetadataEdit::default())?;
    let secrets = Secrets::new(Arc::clone(&store), root.clone(), Access::Unrestricted);
    let keys = Keys::of(&*store, &org()?, &*root)?;

    let ids = (0..COUNT).map(|number| address(&scope, number)).collect::<secretkit::Result<Vec<SecretId>>>()?;
    // The very records that ours will find, so that both reach for the same memory.
    let wants: Vec<_> = ids.iter().map(|id| Want { target: Which::Exact(id.clone()), revision: None }).collect();
    let found: Option<Vec<_>> = store.fetch(&wants)?.into_iter().collect();
    let records = found.ok_or("the store has lost a secret")?;
    let mut next = far_apart(&records);
    let mut baseline = repeat(|| Ok(keys.check_and_open(&next()?.record)?));
    let mut next = far_apart(&ids);
    let mut ours = repeat(|| Ok(secrets.get(next()?)?));
    table.times(OPERATION, "head check + open", fastest(&mut baseline, &mut ours)?, Target::Times(1.5));
    Ok(())
}

/// What a cache adds to a store that costs next to nothing: over one that is far away it costs the same.
fn resolve(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve from the cache, 1,000 secrets";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (store, root) = (Arc::new(MemoryStore::new()) as Arc<dyn SecretStore>, Arc::new(RootKey::generate()?));
    let scope = TASK.parse()?;
    fill(&store, root.clone(), &scope, KEPT, 32, &MetadataEdit::default())?;
    let cached = Arc::new(CachedStore::new(Arc::clone(&store), CacheOptions::default().with_max_age(FOR_LONG)));
    let facade = |store| Secrets::new(store, root.clone(), Access::Unrestricted);
    let (bare, kept) = (facade(store), facade(cached));
    let requests = (0..KEPT)
        .map(|number| Ok(SecretRequest::new(address(&scope, number)?.name().clone())))
        .collect::<secretkit::Result<Vec<_>>>()?;
    for request in &requests {
        kept.resolve(&scope, request)?;
    }
    let mut next = far_apart(&requests);
    let mut baseline = repeat(|| Ok(bare.resolve(&scope, next()?)?));
    let mut next = far_apart(&requests);
    let mut ours = repeat(|| Ok(kept.resolve(&scope, next()?)?));
    table.times(OPERATION, "the same from MemoryStore", fastest(&mut baseline, &mut ours)?, Target::Times(2.0));
    Ok(())
}

/// As many as an application asks for.
const KEPT: u32 = 1_000;

/// So that each is given from the cache.
const FOR_LONG: Duration = Duration::from_secs(3600);
