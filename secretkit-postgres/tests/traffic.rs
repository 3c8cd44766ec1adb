//! What goes over the wire and into the server's files.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;

use secretkit_core::conformance::hostile_names;
use secretkit_core::seal::KeyUse;
use secretkit_core::store::{Target, Want};
use secretkit_core::{PutItem, PutMode, SecretRequest, SecretStore, SecretValue};
use secretkit_postgres::PostgresStore;
use secretkit_test_postgres::{Durability, Options, Proxy};
use support::{Home, get, id, put, url};

#[test]
fn a_resolve_over_four_scopes_and_a_commit_are_one_round_trip_each() {
    let Some(server) = Options::new().durability(Durability::Relaxed).log_statements().start() else { return };
    let home = Home::of(server.database());
    let proxy = Proxy::to(server.port());
    let address = home.database.address().port(proxy.port()).with("pool_size", "1");
    let store = Arc::new(PostgresStore::create(&url(&address)).unwrap());
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    for scope in ["acme", "acme/*/production", "acme/etl", "acme/etl/production"] {
        put(&secrets, &format!("{scope}:token"), scope.as_bytes());
    }
    let (scope, request) = ("acme/etl/production".parse().unwrap(), SecretRequest::new("token".parse().unwrap()));
    let resolve = || secrets.resolve(&scope, &request).unwrap().value.expose_secret().to_vec();
    // What is asked for a second time is prepared then.
    assert_eq!((resolve(), resolve()), (b"acme/etl/production".to_vec(), b"acme/etl/production".to_vec()));
    let said = || server.log().lines().filter(|line| line.contains("execute ") || line.contains("statement: ")).count();
    let (before, trips) = (said(), proxy.round_trips());
    assert_eq!(resolve(), b"acme/etl/production");
    assert_eq!(proxy.round_trips() - trips, 1);
    let mut seen = said();
    while seen == before {
        seen = said();
    }
    assert_eq!(seen - before, 1, "{}", server.log());

    let wants: Vec<_> = (0..100)
        .map(|number| Want { target: Target::Exact(id(&format!("acme/etl:name-{number}"))), revision: None })
        .collect();
    store.fetch(&wants).unwrap();
    store.fetch(&wants).unwrap();
    let trips = proxy.round_trips();
    assert_eq!(store.fetch(&wants).unwrap().len(), 100);
    assert_eq!(proxy.round_trips() - trips, 1);

    // A create commits, and looks at what is there only where that is refused.
    let new = SecretValue::copied_from(b"new");
    let trips = proxy.round_trips();
    secrets.put(&id("acme:other"), &new, PutMode::Create).unwrap();
    assert_eq!(proxy.round_trips() - trips, 1);
    secrets.put(&id("acme:other"), &new, PutMode::Create).unwrap_err();

    // A put reads the head and commits, each in one.
    put(&secrets, "acme:token", b"again");
    let trips = proxy.round_trips();
    put(&secrets, "acme:token", b"and again");
    assert_eq!(proxy.round_trips() - trips, 2);
}

#[test]
fn a_commit_without_functions_is_three_round_trips_however_much_it_writes() {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database()).without_functions();
    let proxy = Proxy::to(server.port());
    let address = home.database.address().port(proxy.port()).with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:token", b"first");
    let new = SecretValue::copied_from(b"new");
    let trips = proxy.round_trips();
    secrets.put(&id("acme:other"), &new, PutMode::Create).unwrap();
    assert_eq!(proxy.round_trips() - trips, 3);
    let named = |number| PutItem { id: id(&format!("acme/etl:name-{number}")), value: &new };
    let items: Vec<_> = (0..100).map(named).collect();
    let trips = proxy.round_trips();
    secrets.put_all(&items, PutMode::Create).unwrap();
    // What it sends and what comes back is more than fits into a buffer, and both go on at once.
    assert!(proxy.round_trips() - trips < 20, "{}", proxy.round_trips() - trips);
}

#[test]
fn what_goes_over_all_secrets_asks_for_many_at_a_time() {
    const SECRETS: usize = 60;
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database());
    let proxy = Proxy::to(server.port());
    let address = home.database.address().port(proxy.port()).with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    let org = id("acme:a").org().clone();
    for number in 0..SECRETS {
        // Each has a value of before.
        put(&secrets, &format!("acme:name-{number}"), b"1");
        put(&secrets, &format!("acme:name-{number}"), b"2");
    }
    let trips = |work: &dyn Fn()| {
        let before = proxy.round_trips();
        work();
        usize::try_from(proxy.round_trips() - before).unwrap()
    };
    let verify = || assert!(secrets.verify(&org).all(|step| step.is_ok()));
    let reencrypt = || {
        let added = secrets.keys().add(&org, KeyUse::Data).unwrap();
        secrets.keys().promote(&org, added.id).unwrap();
        let last = secrets.keys().reencrypt(&org, 100).last().unwrap().unwrap();
        assert_eq!(last.rewritten, SECRETS as u64);
    };
    for work in [&verify as &dyn Fn(), &reencrypt] {
        // Once to prepare what is asked.
        work();
        let trips = trips(work);
        assert!((1..SECRETS).contains(&trips), "{trips} round trips");
    }
}

#[test]
fn no_value_reaches_the_servers_files_and_no_name_a_statement() {
    let Some(server) = Options::new().durability(Durability::Relaxed).log_statements().start() else { return };
    let home = Home::of(server.database());
    let secrets = home.created();
    let needle = b"needle-7f3a91c2-in-the-hay";
    secrets.put(&id("acme/etl:needle_name"), &SecretValue::copied_from(needle), PutMode::Create).unwrap();
    secrets.update(&id("acme/etl:needle_name"), &SecretValue::copied_from(&needle.repeat(500))).unwrap();
    assert_eq!(get(&secrets, "acme/etl:needle_name"), needle.repeat(500));
    let _ = secrets.put(&id("acme/etl:needle_name"), &SecretValue::copied_from(needle), PutMode::Create).unwrap_err();
    server.sql("CHECKPOINT;");
    assert!(server.files_with(needle).is_empty());
    // The search finds what is there.
    assert!(!server.files_with(b"needle_name").is_empty());
    let log = server.log();
    let statements = log.lines().filter(|line| line.contains("execute ") && line.contains("secretkit"));
    let statements: Vec<_> = statements.filter(|line| !line.contains("DETAIL")).collect();
    assert!(statements.len() > 3, "{log}");
    assert!(statements.iter().all(|line| !line.contains("needle_name") && !line.contains("acme")), "{statements:?}");
}

/// A name that is none never gets as far as the store; a text of people's does, and is one parameter.
#[test]
fn hostile_texts_are_kept_as_they_are() {
    let Some(home) = Home::filled() else { return };
    let secrets = home.opened();
    let mut kept = 0;
    for text in hostile_names() {
        assert!(
            format!("acme:{text}").parse::<secretkit_core::SecretId>().is_err() || !text.contains('\''),
            "{text:?}"
        );
        let Ok(description) = secretkit_core::Description::parse(&text) else { continue };
        let mut edit = secretkit_core::MetadataEdit::default();
        edit.description = secretkit_core::Setting::Set(description.clone());
        secrets.edit(&id("acme:token"), &edit, None).unwrap();
        let info = secrets.info(&id("acme:token")).unwrap();
        assert_eq!(info.metadata.description, Some(description));
        kept += 1;
    }
    assert!(kept > 20, "{kept}");
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
}
