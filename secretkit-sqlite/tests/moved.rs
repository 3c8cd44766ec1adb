//! What happens behind the back of a process that has a store open: nothing that it acknowledges may be lost for it.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secretkit_core::store::Within;
use secretkit_core::{Error, ErrorKind, PutMode, RootKey, SecretValue, Secrets};
use secretkit_sqlite::{Existing, SqliteStore};
use support::{Home, get, id, put};

fn create(secrets: &Secrets, address: &str) -> Result<(), Error> {
    secrets.put(&id(address), &SecretValue::copied_from(b"x"), PutMode::Create).map(drop)
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    path.with_file_name(format!("secrets.db{suffix}"))
}

#[test]
fn a_store_that_is_replaced_under_an_open_writer_is_noticed() {
    let (home, other) = (Home::filled(), Home::filled());
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    replace(&home, &other.path());
    let refused = create(&secrets, "acme:new").unwrap_err();
    assert!(refused.to_string().contains("another store"), "{refused}");
    drop(secrets);
    let theirs = other.secrets(SqliteStore::open(&home.path()).unwrap());
    assert_eq!(theirs.get(&id("acme:new")).unwrap_err().kind(), ErrorKind::NotFound);
}

/// As it is written down for operators: the main file together with what lies beside it.
fn replace(home: &Home, by: &Path) {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(companion(&home.path(), suffix));
    }
    fs::rename(by, home.path()).unwrap();
}

#[test]
fn what_is_put_in_its_place_is_judged_as_if_it_were_opened_for_the_first_time() {
    let home = Home::filled();
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    let side = tempfile::tempdir().unwrap();
    let copy = side.path().join("copy.db");
    SqliteStore::open(&home.path()).unwrap().backup(&copy, Existing::Refuse).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o666)).unwrap();
    replace(&home, &copy);
    assert_eq!(create(&secrets, "acme:new").unwrap_err().kind(), ErrorKind::UnsafeStore);
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(secrets.get(&id("acme:before")).unwrap_err().kind(), ErrorKind::UnsafeStore);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o600)).unwrap();
    create(&secrets, "acme:new").unwrap();
    assert_eq!(get(&secrets, "acme:before"), b"written");
}

/// With many secrets, each of some pages.
fn fill(secrets: &Secrets, name: &str) {
    for number in 0..40 {
        put(secrets, &format!("acme:{name}-{number}"), &[b'x'; 2_000]);
    }
}

/// All that [`fill`] wrote is there, and nothing of the file is damaged.
#[track_caller]
fn is_whole(store: SqliteStore, home: &Home, name: &str) {
    assert_eq!(store.examine().unwrap(), [""; 0]);
    let secrets = home.secrets(store);
    for number in 0..40 {
        assert_eq!(get(&secrets, &format!("acme:{name}-{number}")), [b'x'; 2_000]);
    }
}

#[test]
fn the_log_of_a_store_is_not_played_into_one_that_is_put_in_its_place() {
    for first_asks in ["a writer", "a reader"] {
        let (home, other) = (Home::filled(), Home::filled());
        fill(&other.opened(), "other");
        let secrets = home.opened();
        fill(&secrets, "ours");
        fs::rename(other.path(), home.path()).unwrap();
        for _ in 0..3 {
            let refused = if first_asks == "a writer" {
                create(&secrets, "acme:new").unwrap_err()
            } else {
                std::thread::sleep(Duration::from_millis(120));
                secrets.get(&id("acme:ours-1")).unwrap_err()
            };
            assert_eq!(refused.kind(), ErrorKind::UnsafeStore, "{refused}");
            assert!(refused.to_string().contains("-wal belongs to the file that stood"), "{refused}");
        }
        drop(secrets);
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(companion(&home.path(), suffix)).unwrap();
        }
        is_whole(SqliteStore::open(&home.path()).unwrap(), &other, "other");
    }
}

#[test]
fn nor_into_a_backup_of_itself_and_what_is_moved_by_mistake_is_moved_back() {
    let home = Home::filled();
    let secrets = home.opened();
    fill(&secrets, "early");
    let side = tempfile::tempdir().unwrap();
    let (backup, away) = (side.path().join("backup.db"), side.path().join("away.db"));
    SqliteStore::open(&home.path()).unwrap().backup(&backup, Existing::Refuse).unwrap();
    fill(&secrets, "late");
    fs::hard_link(home.path(), &away).unwrap();
    fs::rename(&backup, home.path()).unwrap();
    assert_eq!(create(&secrets, "acme:new").unwrap_err().kind(), ErrorKind::UnsafeStore);
    // Without its log the shared memory alone does the same.
    let log = companion(&home.path(), "-wal");
    fs::rename(&log, side.path().join("log")).unwrap();
    let refused = create(&secrets, "acme:new").unwrap_err();
    assert!(refused.to_string().contains("-shm belongs to the file that stood"), "{refused}");
    // The backup was not touched.
    fs::rename(home.path(), &backup).unwrap();
    is_whole(SqliteStore::open(&backup).unwrap(), &home, "early");
    // Back in its place with its log, the store of before goes on, and nothing of it was lost.
    fs::rename(side.path().join("log"), &log).unwrap();
    fs::rename(&away, home.path()).unwrap();
    create(&secrets, "acme:new").unwrap();
    drop(secrets);
    is_whole(SqliteStore::open(&home.path()).unwrap(), &home, "late");
}

#[test]
fn a_backup_that_is_put_in_its_place_without_its_log_is_followed() {
    let home = Home::filled();
    let secrets = home.opened();
    fill(&secrets, "early");
    let side = tempfile::tempdir().unwrap();
    let backup = side.path().join("backup.db");
    SqliteStore::open(&home.path()).unwrap().backup(&backup, Existing::Refuse).unwrap();
    put(&secrets, "acme:lost", b"written after the backup");
    replace(&home, &backup);
    create(&secrets, "acme:new").unwrap();
    assert_eq!(secrets.get(&id("acme:lost")).unwrap_err().kind(), ErrorKind::NotFound);
    drop(secrets);
    let store = SqliteStore::open(&home.path()).unwrap();
    is_whole(store, &home, "early");
    assert_eq!(get(&home.opened(), "acme:new"), b"x");
}

#[test]
fn a_store_that_vanishes_under_an_open_writer_is_missed() {
    let home = Home::filled();
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(companion(&home.path(), suffix)).unwrap();
    }
    create(&secrets, "acme:late").unwrap_err();
    assert!(!home.path().exists());
}

#[test]
fn no_write_that_begins_after_the_store_is_gone_is_acknowledged() {
    for _ in 0..20 {
        let home = Home::filled();
        let secrets = home.opened();
        let (gone, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let write_on = |thread: usize| {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let is_late = gone.load(Ordering::SeqCst);
                let outcome = create(&secrets, &format!("acme:{thread}-{number}"));
                assert!(!is_late || outcome.is_err(), "acknowledged, and nowhere");
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn({
                    let write_on = &write_on;
                    move || write_on(thread)
                });
            }
            std::thread::sleep(Duration::from_millis(40));
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(companion(&home.path(), suffix));
            }
            gone.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
            stop.store(true, Ordering::SeqCst);
        });
    }
}

/// Another SQLite in the same process, such as Python's own, drops the locks of ours when it closes the file. Then it
/// takes itself for the last, writes the log back and removes it. (Ours is new enough not to, so the test does it.)
#[test]
fn a_log_that_is_removed_under_an_open_writer_takes_nothing_with_it() {
    let home = Home::filled();
    fs::write(home.directory.path().join("key"), home.key.to_text().expose_secret()).unwrap();
    fs::set_permissions(home.directory.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    for round in 0..3 {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        assert_eq!(home.raw().query_row(checkpoint, (), |row| row.get::<_, i64>(0)).unwrap(), 0);
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(companion(&home.path(), suffix)).unwrap();
        }
        let address = format!("acme:after-{round}");
        put(&secrets, &address, b"kept");
        assert_eq!(elsewhere(&home, &address), "kept", "round {round}");
        assert_eq!(get(&secrets, "acme:before"), b"written");
    }
}

/// What another process reads, which opens the store and closes it again.
fn elsewhere(home: &Home, address: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "reader_in_a_process_of_its_own", "--nocapture", "--include-ignored"]);
    child.env("SECRETKIT_TEST", format!("{} {address}", home.directory.path().display()));
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    output.lines().find_map(|line| line.strip_prefix("= ")).unwrap_or_else(|| panic!("{output}")).to_owned()
}

#[test]
#[ignore = "what the test above runs in a process of its own"]
fn reader_in_a_process_of_its_own() {
    let instruction = std::env::var("SECRETKIT_TEST").expect("run by the test above");
    let (directory, address) = instruction.split_once(' ').unwrap();
    let key = RootKey::from_file(&Path::new(directory).join("key")).unwrap();
    let store = SqliteStore::open(&Path::new(directory).join("secrets.db")).unwrap();
    let secrets =
        Secrets::new(std::sync::Arc::new(store), std::sync::Arc::new(key), secretkit_core::Access::Unrestricted);
    println!("\n= {}", String::from_utf8(get(&secrets, address)).unwrap());
}

#[test]
fn what_a_store_that_is_gone_has_left_is_not_played_into_a_new_one() {
    for suffix in ["-wal", "-shm", "-journal"] {
        let home = Home::new();
        fs::write(companion(&home.path(), suffix), b"left over").unwrap();
        let refused = SqliteStore::create(&home.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::UnsafeStore, "{suffix}");
        assert!(refused.to_string().contains("left over"), "{refused}");
        assert!(!home.path().exists(), "{suffix}");
    }
}

#[test]
fn a_trigger_that_somebody_adds_meanwhile_never_runs() {
    let home = Home::filled();
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    home.raw()
        .execute_batch("CREATE TRIGGER thief AFTER INSERT ON secrets BEGIN DELETE FROM secrets WHERE id = new.id; END")
        .unwrap();
    // Whether the write is refused or done, it is never acknowledged and undone.
    if create(&secrets, "acme:after").is_ok() {
        assert_eq!(get(&secrets, "acme:after"), b"x");
    }
    assert_eq!(SqliteStore::open(&home.path()).unwrap_err().kind(), ErrorKind::NotAStore);
}

#[test]
fn a_row_without_any_name_is_an_error_and_not_passed_over() {
    let home = Home::filled();
    let nameless =
        "UPDATE secrets SET grp = '', key = '', project = '', domain = '' WHERE key = 'token' AND org = 'acme'";
    assert_eq!(home.raw().execute(nameless, ()).unwrap(), 1);
    let secrets = home.opened();
    let first = secrets.list(Within::Org(id("acme:x").org().clone()), 10).next().unwrap();
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Corrupt);
}
