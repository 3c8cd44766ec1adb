//! A cache in front of the store: what others commit is seen within a second, or within its greatest age.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::{
    Access, Activity, Error, ErrorKind, MetadataEdit, PutMode, SecretRequest, SecretStore, SecretValue, Secrets,
};
use secretkit_postgres::{PostgresStore, StoreRole, revoke};
use secretkit_test_postgres::{Address, Durability, Options, Proxy};
use support::tenants::{Tenants, part};
use support::{Home, id, put, url};

/// What another process would see, with a cache of its own.
struct Near {
    secrets: Secrets,
    cached: Arc<CachedStore>,
}

impl Near {
    fn new(home: &Home, address: &Address, options: CacheOptions) -> Self {
        let store = Arc::new(PostgresStore::open(&url(address)).unwrap());
        let cached = Arc::new(CachedStore::new(Arc::clone(&store) as _, options));
        store.tell(cached.listener()).unwrap();
        let key = Arc::clone(&home.key) as _;
        let secrets = Secrets::new(Arc::clone(&cached) as Arc<dyn SecretStore>, key, Access::Unrestricted);
        Self { secrets: secrets.without_usage(), cached }
    }

    fn told(home: &Home, options: CacheOptions) -> Self {
        let near = Self::new(home, &home.database.address(), options);
        until("it is told", || near.cached.is_told());
        near
    }

    /// What a task at `acme/etl/production` gets, or the kind of error.
    fn seen(&self, name: &str) -> String {
        let request = SecretRequest::new(name.parse().unwrap());
        match self.secrets.resolve(&"acme/etl/production".parse().unwrap(), &request) {
            Ok(found) => String::from_utf8(found.value.expose_secret().to_vec()).unwrap(),
            Err(error) => format!("({})", error.kind()),
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
    }
    begun.elapsed()
}

/// For longer than any test takes: what is seen earlier was told.
fn for_long() -> CacheOptions {
    CacheOptions::default().with_max_age(Duration::from_secs(600))
}

/// Everything that can happen to a secret, and what is seen then.
fn life(far: &Secrets, name: &str, mut seen: impl FnMut(&str)) {
    let at = |scope: &str| format!("{scope}:{name}");
    let switched = |activity| {
        let mut edit = MetadataEdit::default();
        edit.activity = Some(activity);
        far.edit(&id(&at("acme")), &edit, None).unwrap();
    };
    seen("(not_found)");
    put(far, &at("acme"), b"one");
    seen("one");
    put(far, &at("acme"), b"two");
    seen("two");
    switched(Activity::Inactive);
    seen("(inactive)");
    switched(Activity::Active);
    seen("two");
    put(far, &at("acme/etl"), b"nearer");
    seen("nearer");
    put(far, &at("acme/etl/production"), b"nearest");
    seen("nearest");
    far.delete(&id(&at("acme/etl/production"))).unwrap();
    seen("nearer");
    far.delete(&id(&at("acme/etl"))).unwrap();
    seen("two");
    far.delete(&id(&at("acme"))).unwrap();
    seen("(not_found)");
}

/// The promise: a second. What it takes is some milliseconds.
#[test]
fn what_others_commit_is_seen_within_a_second() {
    let Some(home) = Home::filled() else { return };
    let (near, far) = (Near::told(&home, for_long()), home.opened());
    let mut worst = Duration::ZERO;
    for round in 0..20 {
        let name = format!("round-{round}");
        life(&far, &name, |expected| {
            worst = worst.max(until(expected, || near.seen(&name) == expected));
            // And it is kept: nothing else is seen later.
            assert_eq!(near.seen(&name), expected);
        });
    }
    assert!(worst < Duration::from_secs(1), "the longest of 200 took {worst:?}");
    assert!(near.cached.is_told());
}

#[test]
fn what_others_commit_is_seen_within_the_greatest_age_where_nothing_is_told() {
    let Some(home) = Home::filled() else { return };
    // Nobody listens there.
    let address = home.database.address().with("listen", "localhost:1");
    seen_in_time(&home, &address);
}

#[test]
fn nor_is_anything_told_of_transactions() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    put(&home.created(), "acme:token", b"t0k3n");
    seen_in_time(&home, &home.database.address());
}

fn seen_in_time(home: &Home, address: &Address) {
    let age = Duration::from_secs(2);
    let (near, far) = (Near::new(home, address, CacheOptions::default().with_max_age(age)), home.opened());
    let mut kept = 0;
    life(&far, "token-2", |expected| {
        let taken = until(expected, || near.seen("token-2") == expected);
        kept += usize::from(taken > age / 2);
        assert!(taken < age + Duration::from_secs(1), "{expected}: {taken:?}");
    });
    assert!(kept > 2, "nothing was kept, so nothing was shown");
    assert!(!near.cached.is_told());
}

#[test]
fn what_is_revoked_is_gone_from_caches_within_a_second() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Reader, &["acme", "beta"]);
    let near = Near::new(&tenants.home, &login, for_long());
    until("it is told", || near.cached.is_told());
    let get = |org: &str| near.secrets.get(&id(&format!("{org}:token"))).map(drop).map_err(|error| error.kind());
    let resolve = || near.seen("token");
    assert_eq!((get("acme"), get("beta"), resolve().as_str()), (Ok(()), Ok(()), "t0k3n"));
    for (org, kind) in [("beta", ErrorKind::NotFound), ("acme", ErrorKind::Denied)] {
        assert_eq!(revoke(&tenants.home.url(), login.user_name(), Some(&part(org))).unwrap(), 1);
        let taken = until("it is gone", || get(org) == Err(kind));
        assert!(taken < Duration::from_secs(1), "{org} took {taken:?}");
    }
    assert_eq!(resolve(), "(denied)");
}

#[test]
fn after_a_loss_nothing_of_before_is_given() {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database());
    let far = home.created();
    let proxy = Proxy::to(server.port());
    let address = home.database.address().with("listen", &format!("localhost:{}", proxy.port()));
    let near = Near::new(&home, &address, for_long());
    until("it is told", || near.cached.is_told());
    let mut kept = 0;
    for round in 0..10 {
        put(&far, "acme:token", format!("before {round}").as_bytes());
        until("it is seen", || near.seen("token") == format!("before {round}"));
        proxy.refuse();
        until("it is lost", || !near.cached.is_told());
        put(&far, "acme:token", format!("after {round}").as_bytes());
        // Nobody has said so, and its age allows what is kept. What was read before its notice came is not kept.
        let seen = near.seen("token");
        assert!(seen == format!("before {round}") || seen == format!("after {round}"), "{seen}");
        kept += usize::from(seen.starts_with("before"));
        proxy.flow();
        until("it is told again", || near.cached.is_told());
        assert_eq!(near.seen("token"), format!("after {round}"));
    }
    assert!(kept > 2, "nothing was kept, so nothing was shown");
}

#[test]
fn while_the_database_is_away_answers_of_before_are_given_only_where_that_is_said() {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database());
    let far = home.created();
    put(&far, "acme:token", b"one");
    let short = CacheOptions::default().with_max_age(Duration::from_millis(500));
    let strict = Near::told(&home, short.clone());
    let lenient = Near::told(&home, short.with_stale_while_away(Duration::from_secs(600)));
    assert_eq!((strict.seen("token"), lenient.seen("token")), ("one".to_owned(), "one".to_owned()));
    server.stop();
    until("it is lost", || !strict.cached.is_told() && !lenient.cached.is_told());
    until("it is too old", || strict.seen("token") == "(unavailable)");
    assert_eq!(lenient.seen("token"), "one");
    until("that is told", || {
        lenient.seen("token");
        lenient.cached.staleness().is_some()
    });
    assert!(strict.cached.staleness().is_none());
    server.start_again();
    put(&far, "acme:token", b"two");
    until("it is seen", || strict.seen("token") == "two" && lenient.seen("token") == "two");
    assert!(lenient.cached.staleness().is_none());
}

/// Registrations and commits that meet, over and over: no answer of before may outlive the moment when it is told.
#[test]
fn a_cache_that_begins_amid_commits_misses_none() {
    let Some(home) = Home::filled() else { return };
    let far = home.opened();
    let done = std::sync::atomic::AtomicBool::new(false);
    let last = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                number += 1;
                put(&far, "acme:count", number.to_string().as_bytes());
                last.store(number, std::sync::atomic::Ordering::SeqCst);
            }
        });
        for _ in 0..15 {
            let near = Near::new(&home, &home.database.address(), for_long());
            // Kept from before it listens, and from while it begins to.
            until("it is told", || {
                near.seen("count");
                near.cached.is_told()
            });
            let least = last.load(std::sync::atomic::Ordering::SeqCst);
            let taken = until("it is seen", || near.seen("count").parse::<u64>().is_ok_and(|number| number >= least));
            if taken >= Duration::from_secs(1) {
                done.store(true, std::sync::atomic::Ordering::SeqCst);
                panic!("{taken:?}");
            }
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn a_commit_needs_no_listener_to_be_awake() -> Result<(), Error> {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return Ok(()) };
    let home = Home::of(server.database());
    let far = home.created();
    let near = Near::told(&home, for_long());
    // It hears nothing more, and its lease goes on for a while.
    let listens = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '% listens' LIMIT 1;";
    let process = secretkit_test_postgres::Pid::from_raw(server.sql(listens).parse().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGSTOP).unwrap();
    for round in 0..100_u8 {
        far.put(&id("acme:token"), &SecretValue::copied_from(&[round]), PutMode::Overwrite)?;
    }
    until("it is noticed", || !near.cached.is_told());
    server.resume();
    until("it is told again", || near.cached.is_told());
    Ok(())
}
