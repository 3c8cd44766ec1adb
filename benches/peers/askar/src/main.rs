//! An Askar store with a raw key: fetches one of 10,000 entries in a session that is held. The store is in SQLite, or in the
//! empty PostgreSQL database whose URL is the one argument.

#[path = "../../serve.rs"]
mod serve;

use std::time::Instant;

use aries_askar::{Session, Store, StoreKeyMethod};
use serve::{Result, serve};

const COUNT: u32 = 10_000;
const STEP: u32 = 7_919;
const CATEGORY: &str = "secret";

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let in_sqlite = || format!("sqlite://{}", folder.path().join("askar.db").display());
    let url = std::env::args().nth(1).unwrap_or_else(in_sqlite);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Its session gives its connection back to the runtime, also where it is dropped at the end.
    let _inside = runtime.enter();
    let mut session = runtime.block_on(filled(&url))?;
    let mut number = 0;
    serve("fetch", |times| {
        // One entry into the runtime for the whole batch: what is measured is the fetch and not the bridge to it.
        runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..times {
                number = (number + STEP) % COUNT;
                let entry = session.fetch(CATEGORY, &name(number), false).await?;
                std::hint::black_box(entry.ok_or("an entry is lost")?.value);
            }
            Ok(start.elapsed())
        })
    })
}

async fn filled(url: &str) -> Result<Session> {
    let key = Store::new_raw_key(None)?;
    let store = Store::provision(url, StoreKeyMethod::RawKey, key, None, true).await?;
    let mut filling = store.transaction(None).await?;
    for number in 0..COUNT {
        filling.insert(CATEGORY, &name(number), &[7; 32], None, None).await?;
    }
    filling.commit().await?;
    Ok(store.session(None).await?)
}

fn name(number: u32) -> String {
    format!("acme/etl/production/db/key{number:07}")
}
