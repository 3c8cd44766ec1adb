//! The examples do what they say.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use secretkit::{Access, MemoryStore, RootKey, SecretRequest, SecretValue, Secrets};
use secretkit_examples::api_keys::ApiKeys;
use secretkit_examples::jobs::{Job, run};
use secretkit_examples::vec_store::VecStore;

fn in_memory() -> Secrets {
    Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
}

#[test]
fn the_application_keeps_and_uses_its_keys() {
    let keys = ApiKeys::new(in_memory());
    assert_eq!(keys.authorization("weather").unwrap_err().kind().as_str(), "not_found");
    keys.keep("weather", &SecretValue::copied_from(b"k3y")).unwrap();
    keys.keep("weather", &SecretValue::copied_from(b"n3w")).unwrap();
    assert_eq!(keys.authorization("weather").unwrap(), "Bearer n3w");
}

#[test]
fn the_application_runs_against_a_file() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_own_api_keys")).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("34 characters"), "{output:?}");
    }
    let key = directory.path().join("my-app.key");
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(directory.path().join("my-app/secrets.db").exists());
}

#[test]
fn the_job_runner_gives_each_job_its_own() {
    let output = Command::new(env!("CARGO_BIN_EXE_job_runner")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("API_KEY has 21 characters"), "{text}");
    assert!(text.contains("API_KEY has 12 characters"), "{text}");
    let file = text.split_whitespace().find(|word| word.ends_with("/cert")).unwrap();
    assert!(text.contains("has 28 bytes"), "{text}");
    assert!(!Path::new(file).exists(), "the file is gone");
}

#[test]
fn a_job_whose_secret_is_missing_is_not_started() {
    let request = SecretRequest::new("gone".parse().unwrap()).as_file();
    let job = Job { script: "echo started", requests: vec![request] };
    let error = run(&in_memory(), &"acme/etl/production".parse().unwrap(), &job).unwrap_err();
    assert_eq!(error.kind().as_str(), "not_found");
}

#[test]
fn the_store_of_ones_own_obeys_every_law() {
    secretkit_core::conformance::all(&|| Arc::new(VecStore::new().unwrap()));
}
