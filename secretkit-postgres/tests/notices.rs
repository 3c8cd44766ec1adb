//! What a store hears of the commits of others.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;

use secretkit_core::seal::KeyUse;
use secretkit_core::store::{Listener, Notice, Target, Want};
use secretkit_core::{
    Activity, Consumer, ErrorKind, MetadataEdit, Part, PutItem, PutMode, SecretStore, SecretValue, Setting, StableId,
    Timestamp,
};
use secretkit_postgres::{PostgresStore, StoreRole, grant, revoke};
use secretkit_test_postgres::{Durability, Options, Proxy, skip};
use support::ears::Ears;
use support::{Home, applied, id, put, url};

/// A store that tells what it hears, which is everything by now.
fn told(home: &Home) -> (PostgresStore, Arc<Ears>) {
    let (store, ears) = (PostgresStore::open(&home.url()).unwrap(), Ears::new());
    store.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
    ears.wait_for(&Notice::Regained, 1);
    (store, ears)
}

fn ask(store: &PostgresStore, address: &str) {
    store.fetch(&[Want { target: Target::Exact(id(address)), revision: None }]).unwrap();
}

fn of_secret(org: &str, id: StableId) -> Notice {
    Notice::Secret(part(org), id)
}

fn of_name(org: &str, name: &str) -> Notice {
    Notice::Name(part(org), name.parse().unwrap())
}

fn part(org: &str) -> Part {
    id(&format!("{org}:a")).org().clone()
}

#[test]
fn every_change_that_an_answer_can_hold_is_told() {
    let Some(home) = Home::filled() else { return };
    let (store, ears) = told(&home);
    ask(&store, "acme:token");
    ears.take();
    let others = home.opened();
    let heard = |notice: Notice| {
        ears.wait_for(&notice, 1);
        let all = ears.take();
        assert_eq!(all, [notice]);
    };
    let token = put(&others, "acme:token", b"2").id;
    heard(of_secret("acme", token));
    let mut edit = MetadataEdit::default();
    edit.expires_at = Setting::Set(Timestamp::from_micros(4_000_000_000_000_000));
    others.edit(&id("acme:token"), &edit, None).unwrap();
    heard(of_secret("acme", token));
    edit.activity = Some(Activity::Inactive);
    others.edit(&id("acme:token"), &edit, None).unwrap();
    heard(of_secret("acme", token));
    // Somebody may have asked for it by its id, or for another one by its name.
    let heard_of_new = |id: StableId, name: &str| {
        ears.wait_for(&of_name("acme", name), 1);
        assert_eq!(ears.take(), [of_secret("acme", id), of_name("acme", name)]);
    };
    heard_of_new(put(&others, "acme/etl:token", b"nearer").id, "token");
    heard_of_new(put(&others, "acme/etl/production:db/password", b"in a group").id, "db/password");
    others.delete(&id("acme:token")).unwrap();
    heard(of_secret("acme", token));
    // What this process never asked for is nothing to it, and neither is that somebody reads or registers.
    put(&others, "other:token", b"2");
    others.add_consumer(&id("acme/etl:token"), &"job".parse::<Consumer>().unwrap()).unwrap();
    drop(home.opened().get(&id("acme/etl:token")).unwrap());
    others.remove_consumer(&id("acme/etl:token"), &"job".parse::<Consumer>().unwrap()).unwrap();
    ask(&store, "other:token");
    let last = put(&others, "other:token", b"3").id;
    heard(of_secret("other", last));
}

#[test]
fn a_rotation_and_a_batch_of_many_are_told_in_one_word() {
    let Some(home) = Home::filled() else { return };
    let (store, ears) = told(&home);
    ask(&store, "acme:token");
    ask(&store, "other:token");
    let others = home.opened();
    ears.take();
    let value = SecretValue::copied_from(b"x");
    let item = |number| PutItem { id: id(&format!("acme/etl:n-{number}")), value: &value };
    let items: Vec<_> = (0..1000).map(item).collect();
    others.put_all(&items, PutMode::Create).unwrap();
    let token = put(&others, "other:token", b"after").id;
    ears.wait_for(&of_secret("other", token), 1);
    assert_eq!(ears.take(), [Notice::Org(part("acme")), of_secret("other", token)]);
    // As many as are told one by one.
    for info in others.put_all(&items[..100], PutMode::Overwrite).unwrap() {
        ears.wait_for(&of_secret("acme", info.id), 1);
    }
    assert_eq!(ears.take().len(), 100);
    others.keys().add(&part("acme"), KeyUse::Data).unwrap();
    ears.wait_for(&Notice::Org(part("acme")), 1);
}

#[test]
fn nothing_is_notified_where_nobody_listens() {
    let Some(home) = Home::filled() else { return };
    let leases = || home.database.sql("SELECT count(*) FROM secretkit.listeners;");
    assert_eq!(leases(), "0");
    let commit = applied(
        "acme",
        false,
        ["[]", r#"[{"kind": "delete", "org": "acme", "id": 1}]"#, "[]"],
        "(SELECT id FROM secretkit.secrets WHERE org = 'acme' LIMIT 1)",
    );
    let commit = &format!("SELECT FROM {commit};");
    // psql says what it is notified of.
    let notified = |statements: &str| {
        let channel = home.database.sql("SELECT 'secretkit_' || encode(id, 'hex') FROM secretkit.store;");
        let said = home.database.sql(&format!("LISTEN {channel}; {statements} SELECT 1;"));
        said.contains("Asynchronous notification")
    };
    assert!(!notified(commit));
    let (store, ears) = told(&home);
    assert_eq!(leases(), "1");
    assert!(notified(commit));
    // One that is over is nobody's.
    home.database.sql("UPDATE secretkit.listeners SET until = clock_timestamp();");
    let others = home.opened();
    put(&others, "acme:token", b"untold");
    ears.wait_for(&Notice::Regained, 2);
    assert_eq!(leases(), "1");
    // It is given back by whoever closes the store.
    drop(store);
    assert_eq!(leases(), "0");
    assert_eq!(ears.take().last(), Some(&Notice::Lost));
}

#[test]
fn what_is_notified_names_nobody() {
    let Some(home) = Home::filled() else { return };
    let (_store, _ears) = told(&home);
    let listening = home.database.role();
    let channel = home.database.sql("SELECT 'secretkit_' || encode(id, 'hex') FROM secretkit.store;");
    let others = home.opened();
    std::thread::scope(|scope| {
        let spy = scope.spawn(|| {
            let listen = format!("LISTEN {channel}; SELECT pg_sleep(0.5); SELECT pg_sleep(0.5); SELECT 1;");
            home.database.sql_as(&listening.with("application_name", "spy"), &listen).unwrap()
        });
        while home.database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spy';") == "0" {}
        while !spy.is_finished() {
            put(&others, "acme/etl:needle", b"1");
        }
        let said = spy.join().unwrap();
        assert!(said.contains("Asynchronous notification"), "{said}");
        assert!(!said.contains("needle") && !said.contains("acme"), "{said}");
    });
}

#[test]
fn a_commit_that_was_under_way_is_waited_for() {
    is_waited_for("UPDATE secretkit.secrets SET description = 'slow' WHERE org = 'acme' AND key = 'token'");
}

#[test]
fn so_is_a_revocation() {
    is_waited_for("DELETE FROM secretkit.logins");
}

fn is_waited_for(what: &str) {
    let Some(home) = Home::filled() else { return };
    let store = PostgresStore::open(&home.url()).unwrap();
    let ears = Ears::new();
    let address = home.database.address().with("application_name", "slow");
    std::thread::scope(|scope| {
        // It has looked for listeners and found none, and is not over.
        let slow = scope.spawn(|| {
            let commit = format!(
                "BEGIN; {what}; SELECT secretkit.tell(NULL, NULL, NULL, NULL, NULL); SELECT pg_sleep(600); COMMIT;"
            );
            home.database.sql_as(&address, &commit)
        });
        let state = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow' AND query LIKE '%sleep%';";
        while home.database.sql(state) == "0" {}
        store.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
        while home.database.sql("SELECT count(*) FROM secretkit.listeners;") == "0" {}
        // Others commit meanwhile: nobody waits but the listener.
        let others = home.opened();
        for round in 0..20_u8 {
            put(&others, "other:token", &[round]);
        }
        assert!(!ears.take().contains(&Notice::Regained));
        home.database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'slow' AND datname = current_database();",
        );
        slow.join().unwrap().unwrap_err();
        ears.wait_for(&Notice::Regained, 1);
    });
}

#[test]
fn a_connection_that_breaks_or_dies_in_silence_is_told_and_made_anew() {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database());
    home.created();
    let proxy = Proxy::to(server.port());
    // Only what listens goes through it.
    let address = home.database.address().with("listen", &format!("localhost:{}", proxy.port()));
    let store = PostgresStore::open(&url(&address)).unwrap();
    let ears = Ears::new();
    store.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
    ears.wait_for(&Notice::Regained, 1);
    let lost = || ears.take().iter().filter(|notice| **notice == Notice::Lost).count();
    assert_eq!(lost(), 0);
    for round in 0..5 {
        if round % 2 == 0 {
            proxy.cut();
        } else {
            server
                .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% listens';");
        }
        ears.wait_for(&Notice::Regained, 1);
        assert_eq!(lost(), 1, "round {round}");
    }
    proxy.stall();
    ears.wait_for(&Notice::Lost, 1);
    proxy.flow();
    ears.wait_for(&Notice::Regained, 1);
    ears.take();
    // The rest of the store never noticed.
    assert!(store.is_empty().unwrap());
    proxy.refuse();
    ears.wait_for(&Notice::Lost, 1);
    assert!(!ears.take().contains(&Notice::Regained));
    server.stop_immediately();
    proxy.flow();
    server.start_again();
    ears.wait_for(&Notice::Regained, 1);
}

#[test]
fn a_store_that_is_told_nothing_stays_a_store() {
    let Some(home) = Home::filled() else { return };
    let (store, _ears) = told(&home);
    let refused = store.tell(Ears::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    // Nobody listens there.
    let nowhere = PostgresStore::open(&url(&home.database.address().with("listen", "localhost:1"))).unwrap();
    let ears = Ears::new();
    nowhere.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
    ears.wait_for(&Notice::Lost, 2);
    assert!(!ears.take().contains(&Notice::Regained));
    ask(&nowhere, "acme:token");
    // Nor where a standby may be read from, which knows of a commit later than who listens.
    let address = home.database.address();
    let twice = [address.hosts_text(); 2].join(",");
    let either = PostgresStore::open(&url(&address.clone().hosts(&twice).with("target_session_attrs", "any"))).unwrap();
    let ears = Ears::new();
    either.tell(Arc::clone(&ears) as Arc<dyn Listener>).unwrap();
    ears.wait_for(&Notice::Lost, 2);
    assert!(!ears.take().contains(&Notice::Regained));
    ask(&either, "acme:token");
    let wrong = home.database.address().with("listen", "localhost:x");
    let refused = PostgresStore::open(&url(&wrong)).unwrap_err();
    assert!(refused.kind() == ErrorKind::Unsupported && refused.to_string().contains("listen"), "{refused}");
}

#[test]
fn a_queue_that_somebody_holds_up_stops_no_commit() {
    let Some(home) = Home::new() else { return };
    if home.database.sql("SELECT current_setting('server_version_num')::integer >= 170000;") != "t" {
        return skip("a full queue of notifications: before PostgreSQL 17 it has 8 GB, and none shorter can be set");
    }
    // A queue of 512 KiB.
    let options = Options::new().durability(Durability::Relaxed).setting("max_notify_queue_pages", "64");
    let Some(server) = options.start() else { return };
    let home = Home::of(server.database());
    let others = home.created();
    put(&others, "acme:token", b"first");
    let (_store, ears) = told(&home);
    let address = home.database.address().with("application_name", "sleeper");
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| home.database.sql_as(&address, "LISTEN held; BEGIN; SELECT pg_sleep(60);"));
        while server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND application_name = \
                          'sleeper';",
        ) == "0"
        {}
        let notified = |payload: usize| {
            let notify = format!("SELECT pg_notify('held', '{payload}' || repeat('x', 7000));");
            home.database.sql_as(&home.database.address(), &notify)
        };
        let refused = (0..100).find_map(|payload| notified(payload).err()).unwrap();
        assert!(refused.contains("too many notifications"), "{refused}");
        ears.take();
        // It would be told of this.
        put(&others, "acme:token", b"second");
        assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.listeners;"), "0");
        ears.wait_for(&Notice::Lost, 1);
        assert!(!ears.take().contains(&Notice::Regained));
        // Whoever asks for a lease gets none, and all the rest goes on.
        let late = PostgresStore::open(&home.url()).unwrap();
        let late_ears = Ears::new();
        late.tell(Arc::clone(&late_ears) as Arc<dyn Listener>).unwrap();
        late_ears.wait_for(&Notice::Lost, 2);
        assert!(!late_ears.take().contains(&Notice::Regained));
        put(&others, "acme:token", b"third");
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sleeper';");
        sleeper.join().unwrap().unwrap_err();
        for ears in [&ears, &late_ears] {
            ears.wait_for(&Notice::Regained, 1);
        }
        let id = put(&others, "acme:token", b"fourth").id;
        ask(&late, "acme:token");
        put(&others, "acme:token", b"fifth");
        late_ears.wait_for(&of_secret("acme", id), 1);
    });
}

#[test]
fn nobody_waits_for_whoever_sleeps_on_a_lease() {
    let Some(home) = Home::new() else { return };
    if home.database.sql("SELECT current_setting('server_version_num')::integer >= 170000;") != "t" {
        return skip("a queue that fills: before PostgreSQL 17 it has 8 GB, and none shorter can be set");
    }
    let options = Options::new().durability(Durability::Relaxed).setting("max_notify_queue_pages", "64");
    let Some(server) = options.start() else { return };
    let home = Home::of(server.database());
    let (others, name) = (home.created(), home.database.name());
    home.database.sql(&format!("ALTER ROLE {name} CREATEROLE;"));
    let login = home.database.role();
    let acme = part("acme");
    assert!(grant(&home.url(), login.user_name(), StoreRole::Reader, &acme, Some(name)).unwrap());
    let lease = "SELECT secretkit.listen(decode(repeat('00', 16), 'hex'));";
    home.database.sql_as(&login, lease).unwrap();
    home.database.sql("INSERT INTO secretkit.listeners VALUES ('\\x01', 'infinity');");
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let address = login.clone().with("application_name", "sleeper");
            home.database.sql_as(&address, &format!("LISTEN held; BEGIN; {lease} SELECT pg_sleep(90);"))
        });
        let sleeps =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sleeper' AND wait_event = 'PgSleep';";
        while server.sql(sleeps) == "0" {}
        let notify = |payload: usize| {
            let notify = format!("SELECT pg_notify('held', '{payload}' || repeat('x', 7000));");
            home.database.sql_as(&home.database.address(), &notify)
        };
        let above = |part: &str| home.database.sql(&format!("SELECT pg_notification_queue_usage() > {part};")) == "t";
        let mut payload = 0;
        while !above("0.5") {
            payload += 1;
            notify(payload).unwrap();
        }
        put(&others, "acme:token", b"1");
        let left = home.database.sql("SELECT id FROM secretkit.listeners;");
        assert_eq!(left, format!("\\x{}", "00".repeat(16)));
        put(&others, "acme:token", b"2");
        // Nor is anybody stopped from taking rights away, however full it is.
        (0..100).find_map(|more| notify(payload + more).err()).unwrap();
        assert_eq!(revoke(&home.url(), login.user_name(), None).unwrap(), 1);
        assert!(!sleeper.is_finished());
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sleeper';");
        sleeper.join().unwrap().unwrap_err();
    });
}
