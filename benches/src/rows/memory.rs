//! The façade over a store that costs next to nothing.

use std::sync::Arc;

use secretkit::store::{Target as Which, Want};
use secretkit::{Access, MemoryStore, MetadataEdit, RootKey, SecretId, SecretStore, Secrets};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::fill::{TASK, address, fill, org};
use crate::measure::{far_apart, fastest, repeat};
use crate::plan::Plan;
use crate::table::{Table, Target};

const COUNT: u32 = 100_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
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
