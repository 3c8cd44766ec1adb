//! What the host's monitoring hears, and what it must never hear.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod busy;

use std::collections::BTreeMap;
use std::sync::Arc;

use busy::Busy;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use secretkit_core::store::{Batch, Change};
use secretkit_core::{
    Access, ErrorKind, MemoryStore, Part, PartKind, PutMode, RootKey, SecretId, SecretStore, SecretValue, Secrets,
    StableId,
};
use secretkit_observe::{ObservedStore, describe};
use secretkit_test_shared::log::Log;

const VALUE: &[u8] = b"cAnArY-of-the-observed-store";

/// Counters by their labels, and how many times were taken of each call.
fn heard(snapshotter: &Snapshotter) -> (BTreeMap<String, u64>, BTreeMap<String, usize>) {
    let (mut counters, mut times) = (BTreeMap::new(), BTreeMap::new());
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.key().name(), labels.join(" "));
        match value {
            DebugValue::Counter(count) => drop(counters.insert(name, count)),
            DebugValue::Histogram(taken) => drop(times.insert(name, taken.len())),
            DebugValue::Gauge(_) => panic!("there is no gauge"),
        }
    }
    (counters, times)
}

fn secrets(store: Arc<dyn SecretStore>) -> Secrets {
    Secrets::new(store, Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
}

#[test]
fn calls_outcomes_and_times_are_heard_and_no_value_or_name() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .finish();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            describe();
            let secrets = secrets(Arc::new(ObservedStore::new(Arc::new(MemoryStore::new()))));
            let id: SecretId = "acme/etl:hidden-name".parse().unwrap();
            secrets.put(&id, &SecretValue::copied_from(VALUE), PutMode::Create).unwrap();
            assert_eq!(secrets.get(&id).unwrap().value.expose_secret(), VALUE);
            let twice = secrets.put(&id, &SecretValue::copied_from(VALUE), PutMode::Create).unwrap_err();
            assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
        });
    });

    let (counters, times) = heard(&snapshotter);
    assert_eq!(counters["secretkit_store_calls_total commit ok"], 1, "{counters:?}");
    assert_eq!(counters["secretkit_store_calls_total fetch ok"], 1, "by which the value came: {counters:?}");
    assert_eq!(counters["secretkit_store_calls_total commit refused"], 1, "{counters:?}");
    assert_eq!(counters["secretkit_store_calls_total fetch_latest ok"], 1, "to say why: {counters:?}");
    assert_eq!(counters["secretkit_store_items_total commit"], 3, "a keyring and the secret twice: {counters:?}");
    assert_eq!(times["secretkit_store_call_seconds fetch"], 1, "{times:?}");

    let log = log.text();
    assert!(log.contains("secretkit.store") && log.contains("acme"), "the subscriber hears calls: {log}");
    for needle in [std::str::from_utf8(VALUE).unwrap(), "hidden-name"] {
        assert!(!log.contains(needle) && counters.keys().all(|name| !name.contains(needle)), "{needle}");
    }
}

#[test]
fn a_failure_is_told_by_its_kind_alone() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            // There is nothing that could be deleted.
            let org = Part::parse(PartKind::Org, "acme").unwrap();
            let id: StableId = "019a9e3c-0000-7000-8000-000000000000".parse().unwrap();
            let batch = Batch { changes: vec![Change::Delete(org, id)], ..Batch::default() };
            ObservedStore::new(Arc::new(MemoryStore::new())).commit(&batch).unwrap_err();
        });
    });
    assert_eq!(heard(&snapshotter).0["secretkit_store_calls_total commit other"], 1);
    let log = log.text();
    assert!(log.contains("WARN") && log.contains("kind=\"other\"") && log.contains("org=\"acme\""), "{log}");
}

/// It waits for nobody, so beside busy writers it happens all the time.
#[test]
fn a_use_that_is_not_recorded_because_others_write_is_no_failure() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            let store = ObservedStore::new(Arc::new(Busy::default()));
            let acme = Part::parse(PartKind::Org, "acme").unwrap();
            let value = SecretValue::copied_from(VALUE);
            let secrets = secrets(Arc::new(store.clone()));
            secrets.put(&"acme:a".parse().unwrap(), &value, PutMode::Create).unwrap();
            let keyring = store.keyring(&acme).unwrap().unwrap().stamp();
            assert_eq!(store.touch(&acme, keyring, &[]).unwrap_err().kind(), ErrorKind::Busy);
        });
    });
    let counters = heard(&snapshotter).0;
    assert_eq!(counters["secretkit_store_calls_total touch given_up"], 1, "{counters:?}");
    assert!(counters.keys().all(|name| !name.contains("busy")), "{counters:?}");
    assert!(!log.text().contains("WARN"), "{}", log.text());
}
