//! Every law of a store, with a cache in front of it.

#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::{MemoryStore, conformance, conformance_tests};

conformance_tests!(&|| Arc::new(CachedStore::new(Arc::new(MemoryStore::new()), CacheOptions::default())));

#[test]
fn every_law_holds_where_hardly_anything_fits() {
    let options = CacheOptions::default().with_max_entries(2).with_max_bytes(4096);
    conformance::all(&|| Arc::new(CachedStore::new(Arc::new(MemoryStore::new()), options.clone())));
}

#[test]
fn every_law_holds_where_nothing_is_kept() {
    let nothing = [CacheOptions::default().with_max_entries(0), CacheOptions::default().with_max_age(Duration::ZERO)];
    for options in nothing {
        conformance::all(&|| Arc::new(CachedStore::new(Arc::new(MemoryStore::new()), options.clone())));
    }
}
