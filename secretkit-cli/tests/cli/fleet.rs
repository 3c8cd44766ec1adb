//! What docs/fleet.md tells people to do: dump and restore, and rotate keys while others read and write.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use secretkit::{ErrorKind, PutMode, SecretValue, Settings};
use secretkit_test_postgres::{Database, database};

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

/// Runs one of PostgreSQL's own programs.
fn program(database: &Database, name: &str, arguments: &[&str]) {
    let output = Command::new(database.program(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_dump_is_restored_and_opens_with_its_key_and_no_other() {
    let (Some(first), Some(second)) = (database(), database()) else { return };
    let sandbox = Sandbox::new();
    let on = |database: &Database, arguments: &[&str]| {
        sandbox.run(arguments.iter().copied().chain(["--store", &database.url()]))
    };
    assert_eq!(on(&first, &["create", "token", CANARY, "--org", "acme"]).code, 0);
    let dump = text(&sandbox.path("work/secrets.dump"));
    program(&first, "pg_dump", &["--format=custom", "--schema=secretkit", "--file", &dump, "--dbname", &first.url()]);
    // What comes later is not in it.
    assert_eq!(on(&first, &["create", "later", CANARY, "--org", "acme"]).code, 0);
    let bytes = std::fs::read(&dump).unwrap();
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "a value in the dump");
    program(
        &second,
        "pg_restore",
        &["--no-owner", "--single-transaction", "--exit-on-error", "--dbname", &second.url(), &dump],
    );
    let status = on(&second, &["store", "status", "-o", "json"]).json();
    assert_eq!(status["current"], true, "{status}");
    let verified = on(&second, &["verify"]);
    assert!(verified.code == 0 && verified.stderr.contains("nothing is wrong"), "{verified:?}");
    assert_eq!(on(&second, &["reveal", "token", "--org", "acme"]).text(), CANARY);
    assert_eq!(on(&second, &["reveal", "later", "--org", "acme"]).code, i32::from(ErrorKind::NotFound.exit_code()));
    // It is a store to write to.
    assert_eq!(on(&second, &["update", "token", "new", "--org", "acme"]).code, 0);
    let other = text(&sandbox.other_key("other.key"));
    let refused = on(&second, &["reveal", "token", "--org", "acme", "--key-file", &other]);
    assert_eq!(refused.code, i32::from(ErrorKind::WrongRootKey.exit_code()), "{refused:?}");
}

struct OnEnd<'a>(&'a AtomicBool);

impl Drop for OnEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A machine of the fleet: opens its store once, and reads and writes until it is told to stop.
fn work(settings: &Settings, name: &str, stop: &AtomicBool, done: &AtomicU64) {
    // Nobody waits for a machine that has failed.
    let _ends = OnEnd(stop);
    let secrets = settings.open_existing().unwrap();
    let id = format!("acme:{name}").parse().unwrap();
    while !stop.load(Ordering::Relaxed) {
        secrets.put(&id, &SecretValue::copied_from(CANARY.as_bytes()), PutMode::Overwrite).unwrap();
        assert_eq!(secrets.get(&"acme:token".parse().unwrap()).unwrap().value.expose_secret(), CANARY.as_bytes());
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn keys_are_rotated_under_a_fleet_that_works() {
    let Some(database) = database() else { return };
    let sandbox = Sandbox::new();
    let url = database.url();
    let (old, new) = (text(&sandbox.other_key("old.key")), text(&sandbox.other_key("new.key")));
    let previous = format!("file:{old}");
    let on = |key: &str, arguments: &[&str]| -> Outcome {
        sandbox.run(arguments.iter().copied().chain(["--store", &url, "--key-file", key]))
    };
    assert_eq!(on(&old, &["create", "token", CANARY, "--org", "acme"]).code, 0);
    let mut settings = Settings::default();
    settings.store = Some(url.parse().unwrap());
    settings.key = Some(format!("file:{new}").parse().unwrap());
    settings.previous_keys = vec![previous.parse().unwrap()];
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let more = || {
        let seen = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < seen + 4 && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::thread::scope(|scope| {
        // Nor do machines work on for a test that has failed.
        let _ends = OnEnd(&stop);
        let machines: Vec<_> = ["one", "two"]
            .map(|name| {
                scope.spawn({
                    let (settings, stop, done) = (&settings, &stop, &done);
                    move || work(settings, name, stop, done)
                })
            })
            .into();
        more();
        let steps: [&[&str]; 2] = [
            &["key", "rewrap", "--previous-key", &previous],
            &["key", "rotate", "--use", "data", "--use", "meta", "--org", "acme"],
        ];
        for step in steps {
            let outcome = on(&new, step);
            assert_eq!(outcome.code, 0, "{step:?}: {outcome:?}");
            more();
        }
        stop.store(true, Ordering::Relaxed);
        machines.into_iter().for_each(|machine| machine.join().unwrap());
    });
    let again = on(&new, &["key", "rotate", "--use", "data", "--use", "meta", "--org", "acme"]);
    assert_eq!(again.code, 0, "{again:?}");
    // The old key is taken out of every configuration: it opens nothing any more.
    assert_eq!(on(&new, &["reveal", "token", "--org", "acme"]).text(), CANARY);
    assert_eq!(on(&old, &["reveal", "token", "--org", "acme"]).code, i32::from(ErrorKind::WrongRootKey.exit_code()));
    let status = on(&new, &["key", "status", "--org", "acme"]);
    assert!(status.code == 0 && !status.stderr.contains("rewrap"), "{status:?}");
    let verified = on(&new, &["verify"]);
    assert!(verified.code == 0 && verified.stderr.contains("nothing is wrong"), "{verified:?}");
}
