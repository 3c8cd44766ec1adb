//! Copies of a store that is in use: whole, on the disk, and never over something else.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use secretkit_core::store::Within;
use secretkit_core::{ErrorKind, Secrets, Verified};
use secretkit_sqlite::{Existing, SqliteStore};
use support::{Home, files, get, id, put};

/// What verification finds in both orgs of [`Home::filled`].
fn findings(secrets: &Secrets) -> Vec<String> {
    let mut found = Vec::new();
    for org in ["acme:x", "other:x"] {
        for told in secrets.verify(id(org).org()).flat_map(Result::unwrap) {
            if let Verified::Wrong(finding) = told {
                found.push(finding.to_string());
            }
        }
    }
    found
}

fn values(secrets: &Secrets) -> BTreeMap<String, Vec<u8>> {
    let listed = secrets.list(Within::Org(id("acme:x").org().clone()), 100).flat_map(Result::unwrap);
    listed.map(|info| (info.address.to_string(), get(secrets, &info.address.to_string()))).collect()
}

fn copy(home: &Home, target: &Path) -> Secrets {
    let copied = SqliteStore::open(target).unwrap();
    assert_eq!(copied.examine().unwrap(), [""; 0]);
    home.secrets(copied)
}

#[test]
fn a_backup_is_a_store_with_all_that_was_there() {
    let home = Home::filled();
    let target = home.directory.path().join("copy.db");
    // Held by connections of this process, with a log that was not written back.
    let secrets = home.opened();
    put(&secrets, "acme:late", b"in the log");
    SqliteStore::open(&home.path()).unwrap().backup(&target, Existing::Refuse).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    let copied = copy(&home, &target);
    assert_eq!(copied.store().info().unwrap(), secrets.store().info().unwrap());
    assert_eq!(values(&copied), values(&secrets));
    assert_eq!(findings(&copied), [""; 0]);
    // Restored, it is written to as any other, and the two go their own ways.
    put(&copied, "acme:token", b"only in the copy");
    put(&secrets, "acme:token", b"only in the store");
    assert_eq!(get(&copied, "acme:token"), b"only in the copy");
    assert_eq!(findings(&copied), [""; 0]);
    drop((copied, secrets));
    assert_eq!(files(home.directory.path()), ["copy.db", "secrets.db"]);
}

#[test]
fn a_backup_while_others_write_is_one_state() {
    let home = Home::filled();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let secrets = home.opened();
            let mut count = 0_u32;
            while !stop.load(Ordering::SeqCst) {
                count += 1;
                // Always in this order: a copy with the second and not the first would be torn.
                put(&secrets, "acme:first", &count.to_be_bytes());
                put(&secrets, "acme:second", &count.to_be_bytes());
            }
            count
        });
        let store = SqliteStore::open(&home.path()).unwrap();
        for number in 0..10 {
            let target = home.directory.path().join(format!("copy-{number}.db"));
            store.backup(&target, Existing::Refuse).unwrap();
            let copied = copy(&home, &target);
            assert_eq!(findings(&copied), [""; 0]);
            let values = values(&copied);
            if let Some(second) = values.get("acme:second") {
                assert!(second <= &values["acme:first"], "{values:?}");
            }
        }
        stop.store(true, Ordering::SeqCst);
        assert!(writer.join().unwrap() > 10, "the writer went on");
    });
}

#[test]
fn a_backup_goes_over_nothing_unless_told_so() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    let target = home.directory.path().join("copy.db");
    fs::write(&target, "precious").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
    let error = store.backup(&target, Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("copy.db"), "{error}");
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    store.backup(&target, Existing::Replace).unwrap();
    assert_eq!(get(&copy(&home, &target), "acme:token"), b"t0k3n");

    for existing in [Existing::Refuse, Existing::Replace] {
        store.backup(&home.path(), existing).unwrap_err();
        assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    }
    let hard = home.directory.path().join("hard.db");
    fs::hard_link(home.path(), &hard).unwrap();
    let error = store.backup(&hard, Existing::Replace).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{error}");
    assert!(error.to_string().contains("the store itself"), "{error}");
}

#[test]
fn a_backup_goes_to_no_place_that_is_not_safe() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    let kind = |target: &Path| store.backup(target, Existing::Replace).unwrap_err().kind();
    let open = home.directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(kind(&open.join("copy.db")), ErrorKind::UnsafeStore);
    assert_eq!(files(&open), [""; 0]);

    let link = home.directory.path().join("link.db");
    std::os::unix::fs::symlink("elsewhere.db", &link).unwrap();
    assert_eq!(kind(&link), ErrorKind::UnsafeStore);
    assert!(!home.directory.path().join("elsewhere.db").exists());
    assert_eq!(kind(&open), ErrorKind::FileIsDirectory);
    assert_eq!(kind(&home.directory.path().join("missing/copy.db")), ErrorKind::FileMissing);

    let left = home.directory.path().join("copy.db-wal");
    fs::write(&left, "the log of a store that was here").unwrap();
    assert_eq!(kind(&home.directory.path().join("copy.db")), ErrorKind::UnsafeStore);
    fs::remove_file(left).unwrap();
    store.backup(&home.directory.path().join("copy.db"), Existing::Refuse).unwrap();
}

#[test]
fn a_backup_goes_to_no_name_of_a_file_of_sqlite() {
    let home = Home::filled();
    // Only the log has it as yet.
    let secrets = home.opened();
    put(&secrets, "acme:late", b"in the log");
    let before = files(home.directory.path());
    assert!(before.contains(&"secrets.db-wal".to_owned()), "{before:?}");
    let store = SqliteStore::open(&home.path()).unwrap();
    for existing in [Existing::Refuse, Existing::Replace] {
        for name in ["secrets.db-wal", "secrets.db-shm", "secrets.db-journal", "later.db-journal", "secrets.db-WAL"] {
            let error = store.backup(&home.directory.path().join(name), existing).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{name}: {error}");
            assert!(error.to_string().contains("choose another name"), "{error}");
        }
    }
    assert_eq!(files(home.directory.path()), before);
    // The file and its log are what the next process has.
    let copied = tempfile::tempdir().unwrap();
    for name in ["secrets.db", "secrets.db-wal"] {
        fs::copy(home.directory.path().join(name), copied.path().join(name)).unwrap();
    }
    let copied = home.secrets(SqliteStore::open(&copied.path().join("secrets.db")).unwrap());
    assert_eq!(get(&copied, "acme:late"), b"in the log");
    // Nothing is wrong with such an end where it is the whole name.
    store.backup(&home.directory.path().join("-wal"), Existing::Refuse).unwrap();
}

const WORKER: &str = "SECRETKIT_TEST_BACKUP";

/// What is killed: backs the store up over and over.
#[test]
#[ignore = "only as the other process of a test below"]
fn worker() {
    let directory = PathBuf::from(std::env::var_os(WORKER).unwrap());
    let store = SqliteStore::open(&directory.join("secrets.db")).unwrap();
    loop {
        store.backup(&directory.join("backups/copy.db"), Existing::Replace).unwrap();
    }
}

#[test]
fn a_kill_leaves_the_old_backup_or_the_new() {
    let home = Home::filled();
    let secrets = home.opened();
    for number in 0..60 {
        put(&secrets, &format!("acme:big-{number}"), &vec![number; 16 << 10]);
    }
    let backups = home.directory.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let target = backups.join("copy.db");
    let mut unfinished = 0;
    for round in 0..30 {
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker.args(["worker", "--exact", "--ignored"]).env(WORKER, home.directory.path());
        let mut child = worker.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !files(&backups).iter().any(|name| name.starts_with(".secretkit-backup-")) {
            assert!(started.elapsed() < Duration::from_secs(20), "it never began");
        }
        std::thread::sleep(Duration::from_micros(311 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += files(&backups).iter().filter(|name| name.starts_with('.')).count();
        if target.exists() {
            let copied = copy(&home, &target);
            assert_eq!(get(&copied, "acme:big-59"), vec![59; 16 << 10]);
            assert_eq!(findings(&copied), [""; 0]);
        }
    }
    assert!(unfinished > 0, "no kill was in the middle of one");
    // The next one clears up.
    SqliteStore::open(&home.path()).unwrap().backup(&target, Existing::Replace).unwrap();
    assert_eq!(files(&backups), ["copy.db"]);
}

#[test]
fn nothing_is_removed_but_what_a_killed_backup_left() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    let backups = tempfile::tempdir().unwrap();
    let named = |name: &str| backups.path().join(name);
    // What somebody keeps under such a name.
    let kept =
        [".secretkit-backup-monday.db", ".secretkit-backup-", ".secretkit-backup-old", ".secretkit-backup-a-bcde"];
    let left = [".secretkit-backup-aB3dE6", ".secretkit-backup-aB3dE6-journal", ".secretkit-backup-aaaaaa-journal"];
    kept.iter().chain(&left).for_each(|name| fs::write(named(name), "x").unwrap());
    // What is no file of ours is not even opened: a pipe would be waited for, and a link leads elsewhere.
    rustix::fs::mkfifoat(rustix::fs::CWD, named(".secretkit-backup-pipe00"), rustix::fs::Mode::from(0o600)).unwrap();
    std::os::unix::fs::symlink(home.path(), named(".secretkit-backup-link00")).unwrap();
    fs::create_dir(named(".secretkit-backup-folder")).unwrap();
    store.backup(&named("copy.db"), Existing::Refuse).unwrap();
    let mut expected = kept.to_vec();
    expected.extend([".secretkit-backup-pipe00", ".secretkit-backup-link00", ".secretkit-backup-folder", "copy.db"]);
    expected.sort_unstable();
    assert_eq!(files(backups.path()), expected);
    for name in [".secretkit-backup-monday.db", ".secretkit-backup-monday"] {
        let error = store.backup(&named(name), Existing::Replace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{error}");
    }
}

#[test]
fn a_log_that_appears_beside_the_target_meanwhile_is_no_success() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    let backups = tempfile::tempdir().unwrap();
    let target = backups.path().join("copy.db");
    store.backup(&target, Existing::Refuse).unwrap();
    let old = fs::read(&target).unwrap();
    let secrets = home.opened();
    for number in 0..100 {
        put(&secrets, &format!("acme:big-{number}"), &vec![1; 60 << 10]);
    }
    let log = backups.path().join("copy.db-wal");
    let outcome = std::thread::scope(|scope| {
        let backup = scope.spawn(|| store.backup(&target, Existing::Replace));
        // As whoever reads the old one makes it, while the copy is written.
        while !backup.is_finished() && !files(backups.path()).iter().any(|name| name.starts_with(".secretkit-backup-"))
        {
            std::thread::yield_now();
        }
        fs::write(&log, "the log of the file that was there").unwrap();
        backup.join().unwrap()
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{error}");
    assert!(error.to_string().contains("copy.db-wal"), "{error}");
    assert_eq!(fs::read(&target).unwrap(), old, "it was replaced all the same");
    assert_eq!(files(backups.path()), ["copy.db", "copy.db-wal"]);
    fs::remove_file(log).unwrap();
    store.backup(&target, Existing::Replace).unwrap();
    assert_eq!(findings(&copy(&home, &target)), [""; 0]);
}

#[test]
fn a_backup_waits_for_nobody_who_locks_its_directory() {
    let home = Home::filled();
    let store = Arc::new(SqliteStore::open(&home.path()).unwrap());
    let backups = tempfile::tempdir().unwrap();
    let target = backups.path().join("copy.db");
    // As everybody may who can read it.
    let lock = fs::File::open(backups.path()).unwrap();
    lock.lock().unwrap();
    let (send, done) = std::sync::mpsc::channel();
    let (storing, place) = (Arc::clone(&store), target.clone());
    let backup = std::thread::spawn(move || send.send(storing.backup(&place, Existing::Refuse)));
    let outcome = done.recv_timeout(Duration::from_secs(20));
    drop(lock);
    backup.join().unwrap().unwrap();
    outcome.expect("it waits for the lock").unwrap();
    assert_eq!(get(&copy(&home, &target), "acme:token"), b"t0k3n");
}

#[test]
fn a_copy_that_somebody_clears_up_before_it_is_locked_is_made_again() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    let backups = tempfile::tempdir().unwrap();
    let (stop, removed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // As another backup that was told that nobody holds the directory.
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let is_copy = |name: &&String| name.starts_with(".secretkit-backup-") && !name.ends_with("-journal");
                for name in files(backups.path()).iter().filter(is_copy) {
                    let path = backups.path().join(name);
                    if let Ok(file) = fs::File::open(&path)
                        && file.try_lock().is_ok()
                        && fs::remove_file(&path).is_ok()
                    {
                        removed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        let target = |number: usize| backups.path().join(format!("copy-{number}.db"));
        let until_one_is_met = (0..80).take_while(|_| removed.load(Ordering::SeqCst) == 0);
        let outcomes: Vec<_> = until_one_is_met.map(|number| store.backup(&target(number), Existing::Refuse)).collect();
        stop.store(true, Ordering::SeqCst);
        for (number, outcome) in outcomes.into_iter().enumerate() {
            outcome.unwrap();
            assert_eq!(fs::metadata(target(number)).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(get(&copy(&home, &target(number)), "acme:token"), b"t0k3n");
        }
    });
    if removed.load(Ordering::SeqCst) == 0 {
        support::skip("a_copy_that_somebody_clears_up_before_it_is_locked_is_made_again", &"none was met in time");
    }
}

/// To open and close a file drops all locks that this process has on it, whatever name was opened.
#[cfg(target_os = "linux")]
#[test]
fn a_link_to_the_store_does_not_drop_its_locks() {
    use std::os::unix::fs::MetadataExt;

    let home = Home::filled();
    let (secrets, store) = (home.opened(), SqliteStore::open(&home.path()).unwrap());
    put(&secrets, "acme:more", b"written");
    let number = format!(":{} ", fs::metadata(home.path()).unwrap().ino());
    let locks = || fs::read_to_string("/proc/locks").unwrap().lines().filter(|line| line.contains(&number)).count();
    let before = locks();
    if before == 0 {
        support::skip("a_link_to_the_store_does_not_drop_its_locks", &"this system does not tell of locks");
        return;
    }
    let backups = tempfile::tempdir_in(home.directory.path()).unwrap();
    std::os::unix::fs::symlink(home.path(), backups.path().join(".secretkit-backup-zzzzzz")).unwrap();
    // While it is open already: who opens it now would refuse a store with two names.
    fs::hard_link(home.path(), backups.path().join(".secretkit-backup-yyyyyy")).unwrap();
    store.backup(&backups.path().join("copy.db"), Existing::Refuse).unwrap();
    assert!(locks() >= before, "the locks of the store are gone");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_backup() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

    let home = Home::filled();
    let small = home.directory.path().join("small");
    fs::create_dir(&small).unwrap();
    if let Err(errno) = mount("none", &small, "tmpfs", MountFlags::empty(), c"size=256k,mode=0700") {
        let why = format_args!("this user may not mount a file system: {errno}").to_string();
        support::skip("a_full_disk_leaves_the_old_backup", &why);
        return;
    }
    let target = small.join("copy.db");
    let store = SqliteStore::open(&home.path()).unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.backup(&target, Existing::Refuse).unwrap();
        let secrets = home.opened();
        for number in 0..20 {
            put(&secrets, &format!("acme:big-{number}"), &vec![number; 16 << 10]);
        }
        let error = store.backup(&target, Existing::Replace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert_eq!(files(&small), ["copy.db"]);
        assert_eq!(get(&copy(&home, &target), "acme:token"), b"t0k3n");
    }));
    unmount(&small, UnmountFlags::DETACH).unwrap();
    outcome.unwrap();
}

#[test]
fn what_is_wrong_with_the_file_is_said() {
    let home = Home::filled();
    let store = SqliteStore::open(&home.path()).unwrap();
    assert_eq!(store.examine().unwrap(), [""; 0]);
    let raw = home.raw();
    raw.execute_batch(
        "PRAGMA foreign_keys=OFF; DELETE FROM keyring WHERE org = 'other'; DELETE FROM secrets WHERE key = 'password'",
    )
    .unwrap();
    let found = store.examine().unwrap().join("\n");
    assert!(found.contains("org other has secrets, and its keyring is gone"), "{found}");
    assert!(found.contains("a row of revisions belongs to none of secrets"), "{found}");
    drop((raw, store));
    // A page in the middle that makes no sense.
    let mut bytes = fs::read(home.path()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 512].fill(0xff);
    fs::write(home.path(), bytes).unwrap();
    match SqliteStore::open(&home.path()) {
        Ok(store) => assert_ne!(store.examine().unwrap(), [""; 0]),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    }
}

#[test]
fn threads_back_up_into_one_directory() {
    let home = Home::filled();
    let store = Arc::new(SqliteStore::open(&home.path()).unwrap());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (store, directory) = (Arc::clone(&store), home.directory.path());
            scope.spawn(move || {
                for round in 0..5 {
                    store.backup(&directory.join(format!("{number}-{round}.db")), Existing::Refuse).unwrap();
                }
            });
        }
    });
    assert_eq!(files(home.directory.path()).iter().filter(|name| name.ends_with(".db")).count(), 21);
}
