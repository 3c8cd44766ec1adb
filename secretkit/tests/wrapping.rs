//! What a host puts around its store is there, however the store is opened.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use secretkit::{PutMode, SecretValue, Secrets, Settings, StoreWrapper};
use secretkit_observe::ObservedStore;

/// How often a call of the store was heard of.
fn heard(call: &str, work: impl FnOnce()) -> u64 {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, work);
    let counters = snapshotter.snapshot().into_vec().into_iter().filter_map(|(key, _, _, value)| {
        let is_it = key.key().labels().any(|label| label.key() == "call" && label.value() == call);
        match value {
            DebugValue::Counter(count) if is_it && key.key().name() == "secretkit_store_calls_total" => Some(count),
            _ => None,
        }
    });
    counters.sum()
}

fn use_it(secrets: &Secrets) {
    let id = "acme:token".parse().unwrap();
    secrets.put(&id, &SecretValue::copied_from(b"t0k3n"), PutMode::Create).unwrap();
    assert_eq!(secrets.get(&id).unwrap().value.expose_secret(), b"t0k3n");
}

#[test]
fn a_host_hears_of_every_call_to_a_store_of_any_kind() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("root.key");
    secretkit::create_root_key(&key).unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("secrets.db").display());
    let database = secretkit_test_postgres::database();
    let urls = [Some("memory:".to_owned()), Some(sqlite), database.as_ref().map(|database| database.url())];
    for url in urls.into_iter().flatten() {
        let mut settings = Settings::default();
        settings.store = Some(url.parse().unwrap());
        settings.key = Some(format!("file:{}", key.display()).parse().unwrap());
        settings.wrapper = Some(StoreWrapper::new(|store| Arc::new(ObservedStore::new(store))));
        assert_eq!(heard("commit", || use_it(&settings.open_or_create().unwrap().0)), 1, "made: {url}");
        if url != "memory:" {
            let read = || drop(settings.open_existing().unwrap().get(&"acme:token".parse().unwrap()).unwrap());
            assert!(heard("fetch", read) + heard("fetch_latest", read) >= 1, "opened: {url}");
        }
        settings.wrapper = None;
        assert_eq!(heard("fetch", || drop(settings.open_existing().unwrap())), 0, "nobody listens: {url}");
    }
}
