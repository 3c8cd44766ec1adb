//! What a store does when its server, or the way to it, fails.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::time::{Duration, Instant};

use secretkit_core::{Error, ErrorKind, PutMode, SecretValue, Token};
use secretkit_postgres::PostgresStore;
use secretkit_test_postgres::{Durability, Options, Proxy, Server, Shown, database, skip};
use support::{Home, get, id, put, url};

fn server() -> Option<Server> {
    Options::new().durability(Durability::Relaxed).start()
}

#[test]
fn a_server_that_is_away_is_an_error_and_is_found_again() {
    let Some(server) = server() else { return };
    let home = Home::of(server.database());
    let address = home.database.address().with("statement_timeout", "100ms").with("connect_timeout", "2");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:token", b"1");
    let kinds = || {
        let read = secrets.get(&id("acme:token")).unwrap_err().kind();
        let write =
            secrets.put(&id("acme:other"), &SecretValue::copied_from(b"x"), PutMode::Overwrite).unwrap_err().kind();
        (read, write)
    };
    server.stop();
    assert_eq!(kinds(), (ErrorKind::Unavailable, ErrorKind::Unavailable));
    server.start_again();
    assert_eq!(get(&secrets, "acme:token"), b"1");
    server.stop_immediately();
    server.start_again();
    // The connections of before are broken, and nobody needs to know.
    assert_eq!(get(&secrets, "acme:token"), b"1");
    put(&secrets, "acme:token", b"2");
    home.database.terminate_backends();
    put(&secrets, "acme:token", b"3");
    server.pause();
    let (read, _) = kinds();
    assert!([ErrorKind::Busy, ErrorKind::Unavailable].contains(&read), "{read}");
    server.resume();
    assert_eq!(get(&secrets, "acme:token"), b"3");
}

#[test]
fn nobody_waits_long_for_a_server_that_is_away_to_record_a_use() {
    let Some(server) = server() else { return };
    let home = Home::of(server.database());
    let secrets = home.created();
    put(&secrets, "acme:token", b"1");
    put(&secrets, "acme:other", b"1");
    get(&secrets, "acme:token");
    server.pause();
    let begun = Instant::now();
    secrets.record_uses();
    let taken = begun.elapsed();
    server.resume();
    // Of the 17 seconds that an answer may take.
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    get(&secrets, "acme:other");
    secrets.record_uses();
    assert!(secrets.info(&id("acme:other")).unwrap().last_used().is_some());
}

#[test]
fn a_password_that_is_changed_is_an_error_until_it_is_right_again() {
    let Some(home) = Home::filled() else { return };
    let secrets = home.opened();
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    let (user, password) = (home.database.name(), home.database.address().password_text().to_owned());
    home.database.sql(&format!("ALTER ROLE {user} PASSWORD 'another';"));
    // Whoever is in stays in.
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    home.database.terminate_backends();
    let refused = secrets.get(&id("acme:token")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused}");
    assert!(!format!("{refused} {refused:?}").contains(&password));
    home.database.sql(&format!("ALTER ROLE {user} PASSWORD '{password}';"));
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_refused() {
    let Some(server) = server() else { return };
    let home = Home::of(server.database());
    let right = home.database.address();
    let opened = |address: &secretkit_test_postgres::Address| PostgresStore::create(&url(address)).map(|_| ());
    let unsafe_words = |address: &secretkit_test_postgres::Address| {
        let error = opened(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{error}");
        error.to_string()
    };
    opened(&right).unwrap();
    let other = server.other_authority().display().to_string();
    assert!(unsafe_words(&right.clone().with("sslrootcert", &other)).contains("nobody who is trusted"));
    // Nobody knows our authority but we.
    assert!(unsafe_words(&right.clone().with("sslrootcert", "system")).contains("nobody who is trusted"));
    server.show(Shown::OfAnotherHost);
    assert!(unsafe_words(&right).contains("another host"));
    opened(&right.clone().with("sslmode", "verify-ca")).unwrap();
    server.show(Shown::Expired);
    assert!(unsafe_words(&right).contains("expired"));
    assert!(unsafe_words(&right.clone().with("sslmode", "verify-ca")).contains("expired"));
    server.show(Shown::OfAnAuthority);
    assert!(unsafe_words(&right).contains("which may not be a server's"));
    server.show(Shown::OfAnotherAuthority);
    unsafe_words(&right);
    // An authority that is named is asked, as in libpq.
    unsafe_words(&right.clone().with("sslmode", "require"));
    for mode in ["require", "prefer"] {
        opened(&right.clone().without("sslrootcert").with("sslmode", mode).with("channel_binding", "require")).unwrap();
    }
    // The server wants TLS.
    let refused = opened(&right.clone().with("sslmode", "disable")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused}");
    server.show(Shown::Right);
    server.set("ssl", Some("off"));
    assert!(unsafe_words(&right).contains("no TLS"));
    server.set("ssl", None);
    opened(&right.clone().with("ssl_max_protocol_version", "TLSv1.2")).unwrap();
    opened(&right.with("ssl_min_protocol_version", "TLSv1.3")).unwrap();
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let Some(server) = Options::new().durability(Durability::Relaxed).access("hostssl all certified all cert").start()
    else {
        return;
    };
    let home = Home::of(server.database());
    server.sql(&format!("CREATE ROLE certified LOGIN IN ROLE {};", home.database.name()));
    let (certificate, key) = server.client_certificate("certified");
    let address = home.database.address().user("certified").password("");
    let address = address.with("sslcert", &certificate.display().to_string());
    let address = address.with("sslkey", &key.display().to_string());
    let open = || PostgresStore::create(&url(&address));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = open().unwrap_err();
    assert!(exposed.kind() == ErrorKind::UnsafeStore && exposed.to_string().contains("chmod 600"), "{exposed}");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(open().unwrap().is_empty().unwrap());
    assert_eq!(
        PostgresStore::open(&url(&address.clone().without("sslcert").without("sslkey"))).unwrap_err().kind(),
        ErrorKind::Denied
    );
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_by_its_token() {
    let Some(database) = database() else { return };
    let home = Home::of(database);
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let address = home.database.address().port(proxy.port());
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:token", b"0");
    for round in 1..=6_u8 {
        if round % 2 == 0 {
            proxy.lose_next_request();
        } else {
            proxy.lose_next_answer();
        }
        let info = secrets.update(&id("acme:token"), &SecretValue::copied_from(&[round])).unwrap();
        assert_eq!(info.revision.number(), u64::from(round) + 1);
    }
    assert_eq!(get(&secrets, "acme:token"), [6]);
    // The first put made the org's keys, too.
    assert_eq!(home.database.sql("SELECT count(*), count(DISTINCT token) FROM secretkit.events;"), "8|7");
}

#[test]
fn an_outcome_that_nobody_could_tell_is_told_later() {
    let Some(database) = database() else { return };
    let home = Home::of(database);
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    // The client gives up, and the server does not.
    let address =
        home.database.address().port(proxy.port()).with("options", "-c statement_timeout=0 -c lock_timeout=0");
    let address = address.with("statement_timeout", "1s").with("connect_timeout", "2");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:before", b"0");
    let org = id("acme:a").org().clone();
    let waits = |what: &str| while home.database.sql(what) == "0" {};
    std::thread::scope(|scope| {
        let locking = scope.spawn(|| {
            let owner = home.database.address().with("application_name", "locks");
            let lock = "BEGIN; SELECT pg_advisory_xact_lock(secretkit.lock_key('org', 'acme')); SELECT pg_sleep(600);";
            let _ = home.database.sql_as(&owner, lock);
        });
        let ours =
            "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        waits(&format!("SELECT count(*) FROM pg_locks WHERE {ours} AND granted;"));
        let putting = scope.spawn(|| secrets.put(&id("acme:token"), &SecretValue::copied_from(b"1"), PutMode::Create));
        waits(&format!("SELECT count(*) FROM pg_locks WHERE {ours} AND NOT granted;"));
        // From here on no answer comes through; and the commit is done.
        proxy.stall();
        home.database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'locks' AND datname = current_database();",
        );
        locking.join().unwrap();
        waits("SELECT count(*) FROM secretkit.secrets WHERE key = 'token';");
        let unknown = putting.join().unwrap();
        let Err(Error::OutcomeUnknown { token: Some(token), .. }) = &unknown else { panic!("{unknown:?}") };
        proxy.flow();
        assert!(secrets.outcome(&org, token).unwrap());
        assert!(!secrets.outcome(id("other:a").org(), token).unwrap());
        assert_eq!(get(&secrets, "acme:token"), b"1");
    });
}

#[test]
fn a_commit_whose_connection_the_server_ends_is_done_once_on_another() {
    let Some(home) = Home::filled() else { return };
    if home.database.sql("SELECT current_setting('server_version_num')::integer >= 170000;") != "t" {
        return skip("a transaction has no time-out of its own before PostgreSQL 17");
    }
    let events = || home.database.sql("SELECT count(*) FROM secretkit.events;").parse::<u32>().unwrap();
    let before = events();
    home.database.sql(&format!("ALTER ROLE {} SET transaction_timeout = '1s';", home.database.name()));
    let secrets = home.opened();
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            let owner = home.database.address().with("application_name", "locks");
            let lock = "SET transaction_timeout = 0; BEGIN; \
                SELECT pg_advisory_xact_lock(secretkit.lock_key('org', 'acme')); SELECT pg_sleep(600);";
            let _ = home.database.sql_as(&owner, lock);
        });
        let ours = "SELECT coalesce(min(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                    (SELECT oid FROM pg_database WHERE datname = current_database()) AND";
        let until = |condition: &str| loop {
            let pid = home.database.sql(&format!("{ours} {condition};"));
            if pid != "0" {
                return pid;
            }
        };
        until("granted");
        let putting = scope.spawn(|| secrets.put(&id("acme:new"), &SecretValue::copied_from(b"1"), PutMode::Create));
        let first = until("NOT granted");
        until(&format!("NOT granted AND pid <> {first}"));
        home.database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'locks' AND datname = current_database();",
        );
        holding.join().unwrap();
        putting.join().unwrap().unwrap();
    });
    assert_eq!((get(&secrets, "acme:new").as_slice(), events()), (b"1".as_slice(), before + 1));
}

#[test]
fn a_server_that_only_reads_says_so() {
    let Some(home) = Home::filled() else { return };
    let user = home.database.name();
    home.database.sql(&format!("ALTER ROLE {user} SET default_transaction_read_only = on;"));
    let refused = PostgresStore::open(&home.url()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.to_string().contains("target_session_attrs"), "{refused}");
    let store = PostgresStore::open(&url(&home.database.address().with("target_session_attrs", "any"))).unwrap();
    let secrets = home.secrets(store);
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    let refused = secrets.update(&id("acme:token"), &SecretValue::copied_from(b"x")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused}");
}

#[test]
fn so_does_a_standby() {
    let Some(primary) = server() else { return };
    let standby = primary.standby();
    for dress in [Home::with_functions as fn(Home) -> Home, Home::without_functions] {
        let home = dress(Home::of(primary.database()));
        put(&home.created(), "acme:token", b"t0k3n");
        let written = primary.sql("SELECT pg_current_wal_lsn();");
        while standby.sql(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}';")) != "t" {}
        let address = home.database.address().port(standby.port()).with("target_session_attrs", "any");
        let secrets = home.secrets(PostgresStore::open(&url(&address)).unwrap());
        assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
        let token = Token::generate().unwrap();
        for refused in [
            secrets.update(&id("acme:token"), &SecretValue::copied_from(b"x")).map(drop).unwrap_err(),
            secrets.outcome(id("acme:a").org(), &token).map(drop).unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused}");
        }
    }
}

/// Parse, Bind and what follows are several messages, and the clock of a statement runs from the first of them.
#[test]
fn a_transaction_whose_end_the_server_cancels_is_no_place_for_the_next() {
    let access = "host all all 127.0.0.1/32 scram-sha-256";
    let Some(server) = Options::new().durability(Durability::Relaxed).access(access).start() else { return };
    let home = Home::of(server.database()).without_functions();
    let proxy = Proxy::to(server.port());
    let address = home.database.address().port(proxy.port()).with("sslmode", "disable").with("pool_size", "1");
    let address = address.with("statement_timeout", "400ms");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    put(&secrets, "acme:token", b"1");
    put(&secrets, "acme:token", b"2");
    let slowly_ended = |parse: &[u8]| {
        // What it looks at, what it changes, and its end.
        proxy.hold_request_after(3, parse.len());
        let new = SecretValue::copied_from(b"new");
        std::thread::scope(|scope| {
            let creating = scope.spawn(|| secrets.put(&id("acme:new"), &new, PutMode::Create).unwrap_err());
            while !proxy.holds() {}
            std::thread::sleep(Duration::from_millis(800));
            proxy.release();
            creating.join().unwrap()
        })
    };
    let cancelled = slowly_ended(b"P\0\0\0\x0e\0COMMIT\0\0\0");
    assert_eq!(cancelled.kind(), ErrorKind::Busy, "{cancelled}");
    assert_eq!(get(&secrets, "acme:token"), b"2");
    home.database.sql("ALTER TABLE secretkit.events ADD CONSTRAINT few CHECK (token = '') NOT VALID;");
    let cancelled = slowly_ended(b"P\0\0\0\x10\0ROLLBACK\0\0\0");
    assert!(cancelled.to_string().contains("23514"), "{cancelled}");
    assert_eq!(get(&secrets, "acme:token"), b"2");
    home.database.sql("ALTER TABLE secretkit.events DROP CONSTRAINT few;");
    put(&secrets, "acme:new", b"1");
    assert_eq!(get(&secrets, "acme:new"), b"1");
}

#[test]
fn nobody_waits_for_ever_for_a_machine_that_is_gone_within_a_transaction() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let address = home.database.address().port(proxy.port()).with("statement_timeout", "100ms").with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::create(&url(&address)).unwrap());
    for number in 0..4 {
        put(&secrets, "acme:token", &[number]);
    }
    let others =
        home.secrets(PostgresStore::open(&url(&home.database.address().with("lock_timeout", "200ms"))).unwrap());
    let update = || others.update(&id("acme:token"), &SecretValue::copied_from(b"other")).map(drop);
    // A read, what it looks at and what it changes. Its end never comes.
    proxy.hold_request(4);
    std::thread::scope(|scope| {
        let gone = scope.spawn(|| secrets.update(&id("acme:token"), &SecretValue::copied_from(b"gone")));
        while !proxy.holds() {}
        proxy.refuse_new();
        assert_eq!(update().unwrap_err().kind(), ErrorKind::Busy);
        let begun = Instant::now();
        while let Err(error) = update() {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
        }
        gone.join().unwrap().unwrap_err();
    });
    assert_eq!(get(&others, "acme:token"), b"other");
}

#[test]
fn a_store_whose_functions_are_gone_is_not_said_to_be_none() {
    let Some(home) = Home::filled() else { return };
    home.database.sql("DROP EXTENSION plpgsql CASCADE;");
    let secrets = home.opened();
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    let refused = secrets.update(&id("acme:token"), &SecretValue::copied_from(b"x")).unwrap_err();
    assert!(refused.kind() == ErrorKind::NotAStore && refused.to_string().contains("functions"), "{refused}");
    let checks = secretkit_postgres::examine(&home.url()).unwrap();
    let tables = checks.iter().find(|check| check.check == "tables").unwrap();
    assert!(tables.finding.contains("gone") && tables.advice.is_some(), "{tables:?}");
}

#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let Some(server) = Options::new().durability(Durability::Relaxed).small_disk(48 << 20).start() else { return };
    let home = Home::of(server.database());
    let secrets = home.created();
    put(&secrets, "acme:token", b"1");
    server.fill_disk();
    let big = SecretValue::copied_from(&vec![b'x'; 64 << 10]);
    let refused = secrets.put(&id("acme:big"), &big, PutMode::Create).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Full, "{refused}");
    assert_eq!(get(&secrets, "acme:token"), b"1");
    server.free_disk();
    secrets.put(&id("acme:big"), &big, PutMode::Create).unwrap();
}

#[test]
fn the_next_host_is_tried_where_one_does_not_do() {
    let Some(home) = Home::filled() else { return };
    let hosts = home.database.address().hosts_text().to_owned();
    // Nobody listens on the first.
    let several = home.database.address().hosts(&format!("127.0.0.1:1,{hosts}"));
    let store = PostgresStore::open(&url(&several)).unwrap();
    assert!(!store.is_empty().unwrap());
    assert!(store.to_string().contains("127.0.0.1:1,"), "{store}");
    let nobody = home.database.address().hosts("127.0.0.1:1,127.0.0.1:2");
    let refused = PostgresStore::open(&url(&nobody)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    let no_database = home.database.address().database("nowhere");
    assert_eq!(PostgresStore::open(&url(&no_database)).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn what_was_prepared_and_is_not_there_any_more_is_asked_anew() {
    let Some(home) = Home::filled() else { return };
    let address = home.database.address().with("pool_size", "1");
    let secrets = home.secrets(PostgresStore::open(&url(&address)).unwrap());
    for _ in 0..3 {
        assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
        put(&secrets, "acme:other", b"1");
    }
    // A table that has changed, as a migration of the future may do it.
    home.database.sql("ALTER TABLE secretkit.secrets ALTER COLUMN description TYPE varchar(9999);");
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    put(&secrets, "acme:other", b"2");
    assert_eq!(get(&secrets, "acme:other"), b"2");
}
