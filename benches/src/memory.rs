//! The façade over a store in memory against the two things that every get has to do.

use std::sync::Arc;

use secretkit::{MemoryStore, RootKey, SecretStore};
use secretkit_core::internals::Keys;

use crate::{Outcome, data, measure};

pub(crate) fn rows() -> Outcome {
    let (store, root): (Arc<dyn SecretStore>, _) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?));
    data::fill(&store, &root, 100_000)?;
    let secrets = data::secrets(Arc::clone(&store), &root);
    let id = data::id(50_000)?;
    let keys = Keys::of(&*store, id.org(), &*root)?;
    let record = data::record(&*store, &id)?;
    measure::compare(|| Ok(keys.check_and_open(&record)?), || Ok(secrets.get(&id)?))?.print(
        "get from MemoryStore, 100,000 secrets",
        "head check + open alone",
        1.5,
    );
    Ok(())
}
