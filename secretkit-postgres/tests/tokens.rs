//! What somebody was told of a commit stays so.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::time::{Duration, Instant};

use secretkit_core::store::{Batch, EventRecord, Expect, Lane};
use secretkit_core::{Error, ErrorKind, SecretStore, SecretValue, Token};
use secretkit_postgres::PostgresStore;
use secretkit_test_postgres::{Durability, Options, Proxy};
use support::{Home, get, id, put, url};

fn token_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Token {
    match outcome {
        Err(Error::OutcomeUnknown { token: Some(token), .. }) => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_did_not_take_effect_does_not_do_so_when_it_arrives() {
    // A read, and then the commit, which stays on its way.
    held_back(Home::with_functions, 2);
}

#[test]
fn nor_does_the_end_of_a_transaction() {
    // A read, then what the transaction looks at, what it changes, and its end.
    held_back(Home::without_functions, 4);
}

fn held_back(dress: fn(Home) -> Home, request: u64) {
    let Some(home) = Home::new().map(dress) else { return };
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let address = home.database.address().port(proxy.port()).with("statement_timeout", "200ms").with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    for number in 0..4 {
        put(&secrets, "acme:token", &[number]);
    }
    proxy.hold_request(request);
    let token = std::thread::scope(|scope| {
        let updating = scope.spawn(|| secrets.update(&id("acme:token"), &SecretValue::copied_from(b"late")));
        while !proxy.holds() {}
        proxy.refuse_new();
        token_of(updating.join().unwrap())
    });
    proxy.flow();
    let sessions = || {
        home.database.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'secretkit';",
        )
    };
    assert!(!secrets.outcome(id("acme:a").org(), &token).unwrap());
    assert_eq!(sessions(), "2", "the connection with the commit, and the one of the question");
    proxy.release();
    while sessions() != "1" {}
    assert_eq!(get(&secrets, "acme:token"), [3]);
    assert!(!secrets.outcome(id("acme:a").org(), &token).unwrap());
    assert!(!home.opened().outcome(id("acme:a").org(), &token).unwrap());
    put(&secrets, "acme:token", b"next");
    assert_eq!(get(&secrets, "acme:token"), b"next");
}

#[test]
fn nor_does_what_concerns_several_orgs_and_was_asked_for_by_another_than_the_first() {
    // The keyrings, and then the commit.
    held_back_of_several(Home::with_functions, 2);
}

#[test]
fn nor_does_the_end_of_a_transaction_that_concerns_several_orgs() {
    held_back_of_several(Home::without_functions, 4);
}

fn held_back_of_several(dress: fn(Home) -> Home, request: u64) {
    let Some(home) = Home::new().map(dress) else { return };
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let address = home.database.address().port(proxy.port()).with("statement_timeout", "200ms").with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:token", b"1");
    put(&secrets, "beta:token", b"1");
    // Until all that is asked is prepared.
    for _ in 0..3 {
        assert_eq!(secrets.keys().rewrap().unwrap(), 2);
    }
    // So much between the two orgs that they are not on one page of an index.
    home.database.sql(
        "INSERT INTO secretkit.settled SELECT 'b' || number, decode(lpad('', 32, '0'), 'hex'), '' \
         FROM generate_series(1, 5000) AS number; ANALYZE secretkit.settled;",
    );
    let versions = || home.database.sql("SELECT version FROM secretkit.keyring ORDER BY org;");
    let before = versions();
    proxy.hold_request(request);
    let token = std::thread::scope(|scope| {
        let rewrapping = scope.spawn(|| secrets.keys().rewrap());
        while !proxy.holds() {}
        proxy.refuse_new();
        token_of(rewrapping.join().unwrap())
    });
    let asking = home.opened();
    let outcome = |org: &str| asking.outcome(id(&format!("{org}:a")).org(), &token).unwrap();
    assert!(!outcome("beta"));
    proxy.release();
    let ours =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'secretkit';";
    while home.database.sql(ours) != "1" {}
    assert!(!outcome("beta") && !outcome("acme"));
    assert_eq!(versions(), before);
}

#[test]
fn what_two_were_told_stays_so_for_both() {
    for dress in [Home::with_functions as fn(Home) -> Home, Home::without_functions] {
        let Some(home) = Home::new().map(dress) else { return };
        put(&home.created(), "acme:token", b"1");
        let [ours, theirs] = [(); 2].map(|()| PostgresStore::open(&home.url()).unwrap());
        let org = id("acme:a").org().clone();
        let (lane, _) = ours.lanes(&org).unwrap().pop().unwrap();
        let event = ours.events(&org, lane, 0, 1).unwrap().pop().unwrap();
        let unused = Lane::all().find(|other| *other != lane).unwrap();
        for asks in [&[&theirs, &ours], &[&ours, &theirs]] {
            let event = EventRecord { lane: unused, token: Token::generate().unwrap(), ..event.clone() };
            let token = event.token;
            let expectations = vec![Expect::Lane(org.clone(), unused, None)];
            let batch = Batch { token: Some(token), expectations, events: vec![event], ..Batch::default() };
            for store in asks {
                assert!(!store.outcome(&org, &token).unwrap());
            }
            let refused = ours.commit(&batch).unwrap_err();
            assert!(refused.to_string().contains("somebody was told"), "{refused}");
            assert!(!theirs.outcome(&org, &token).unwrap());
        }
    }
}

#[test]
fn what_took_effect_is_not_told_before_the_standby_has_it() {
    told_late(Home::with_functions);
}

#[test]
fn nor_is_a_transaction() {
    told_late(Home::without_functions);
}

fn told_late(dress: fn(Home) -> Home) {
    let Some(primary) = Options::new().durability(Durability::Relaxed).start() else { return };
    let standby = primary.standby();
    let home = dress(Home::of(primary.database()));
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let address = home.database.address().hosts(&hosts).with("target_session_attrs", "read-write");
    let address = address.with("statement_timeout", "300ms").with("lock_timeout", "200ms").with("connect_timeout", "2");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    primary.set("synchronous_standby_names", Some("standby"));
    put(&secrets, "acme:token", b"1");
    let stream = standby.sql("SHOW primary_conninfo;");
    standby.set("primary_conninfo", Some(""));
    while primary.sql("SELECT count(*) FROM pg_stat_replication;") != "0" {}
    let token = token_of(secrets.update(&id("acme:token"), &SecretValue::copied_from(b"2")));
    let org = id("acme:a").org().clone();
    // It comes back with what it had written, and its standby has never heard of that.
    primary.stop_immediately();
    primary.start_again();
    assert_eq!(get(&secrets, "acme:token"), b"2");
    assert_eq!(secrets.outcome(&org, &token).unwrap_err().kind(), ErrorKind::Busy);
    standby.set("primary_conninfo", Some(&stream));
    while primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync';") != "1" {}
    assert!(secrets.outcome(&org, &token).unwrap());
    primary.kill();
    standby.promote();
    assert_eq!(get(&secrets, "acme:token"), b"2");
    assert!(secrets.outcome(&org, &token).unwrap());
}

/// A server that is told to wait no longer warns, and says that all is done.
#[test]
fn a_wait_for_the_standby_that_somebody_ends_is_no_yes() {
    ended(Home::with_functions);
}

#[test]
fn nor_is_that_of_a_transaction() {
    ended(Home::without_functions);
}

fn ended(dress: fn(Home) -> Home) {
    let Some(primary) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = dress(Home::of(primary.database()));
    // Its role wants to hear of errors alone.
    home.database.sql(&format!("ALTER ROLE {} SET client_min_messages = 'error';", home.database.name()));
    let secrets = home.created();
    put(&secrets, "acme:token", b"1");
    primary.set("synchronous_standby_names", Some("nobody"));
    let begun = Instant::now();
    let waiting = |but: &str| loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits");
        let waits = format!(
            "SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> {but} \
             AND datname = '{}';",
            home.database.name()
        );
        let pid = primary.sql(&waits);
        if pid != "0" {
            return pid;
        }
    };
    let end = |pid: &str| primary.sql(&format!("SELECT pg_cancel_backend({pid});"));
    let update = |value: &'static [u8]| secrets.update(&id("acme:token"), &SecretValue::copied_from(value));
    std::thread::scope(|scope| {
        let updating = scope.spawn(|| update(b"2"));
        let first = waiting("0");
        end(&first);
        // It is asked by its token, and waits again.
        let second = waiting(&first);
        primary.set("synchronous_standby_names", None);
        updating.join().unwrap().unwrap();
        assert_ne!(first, second);
    });
    primary.set("synchronous_standby_names", Some("nobody"));
    let token = std::thread::scope(|scope| {
        let updating = scope.spawn(|| update(b"3"));
        let first = waiting("0");
        end(&first);
        end(&waiting(&first));
        token_of(updating.join().unwrap())
    });
    primary.set("synchronous_standby_names", None);
    assert!(secrets.outcome(id("acme:a").org(), &token).unwrap());
    assert_eq!(get(&secrets, "acme:token"), b"3");
    assert_eq!(home.database.sql("SELECT generation FROM secretkit.secrets;"), "3");
}
