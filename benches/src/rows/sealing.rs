//! Sealing and opening against the sum of the bare crate calls they need.

use std::sync::Arc;

use secretkit::{Access, MemoryStore, PutMode, RootKey, SecretStore, SecretValue, Secrets};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::bare::Bare;
use crate::fill::{TASK, address, org};
use crate::measure::{fastest, repeat};
use crate::plan::Plan;
use crate::table::{Table, Target};

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    for (length, name) in [(32, "32 B"), (1024, "1 KiB")] {
        let (seal, open) = (format!("seal {name}"), format!("open {name}"));
        if !plan.wants(&seal) && !plan.wants(&open) {
            continue;
        }
        let (store, root) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?));
        let secrets = Secrets::new(Arc::clone(&store) as Arc<dyn SecretStore>, root.clone(), Access::Unrestricted);
        let id = address(&TASK.parse()?, 0)?;
        let value = SecretValue::init_with(length, |bytes| bytes.fill(7));
        let head = secrets.put(&id, &value, PutMode::Create)?;
        let keys = Keys::of(&*store, &org()?, &*root)?;
        let bare = Bare::of(&id);
        let (record, sealed) = (bare.seal(value.expose_secret())?, keys.seal(&id, &head.id, head.revision, &value)?);
        if record.len() != sealed.as_bytes().len() {
            return Err("the baseline makes another record".into());
        }
        if plan.wants(&seal) {
            let mut baseline = repeat(|| bare.seal(value.expose_secret()));
            let mut ours = repeat(|| Ok(keys.seal(&id, &head.id, head.revision, &value)?));
            table.times(&seal, "bare crates", fastest(&mut baseline, &mut ours)?, Target::Times(1.3));
        }
        if plan.wants(&open) {
            let mut baseline = repeat(|| bare.open(&record));
            let mut ours = repeat(|| Ok(keys.open(&id, &head.id, head.revision, &sealed)?));
            table.times(&open, "bare crates", fastest(&mut baseline, &mut ours)?, Target::Times(1.3));
        }
    }
    Ok(())
}
