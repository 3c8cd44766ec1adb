//! Files and places that are refused, each with its own kind of error and the remedy, and nothing changed.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use secretkit_core::{Error, ErrorKind, PutMode, SecretValue};
use secretkit_sqlite::SqliteStore;
use support::{Home, files, get, id, put};

/// Neither way of opening takes it, both for the same reason; returns that.
#[track_caller]
fn refusal(path: &Path, kind: ErrorKind) -> String {
    let before = files(path.parent().unwrap());
    let [opened, created] = [SqliteStore::open(path), SqliteStore::create(path)].map(Result::unwrap_err);
    assert_eq!((opened.kind(), created.kind()), (kind, kind), "{opened}; {created}");
    assert_eq!(opened.to_string(), created.to_string());
    assert_eq!(files(path.parent().unwrap()), before, "something was left behind");
    opened.to_string()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn opening_makes_nothing() {
    let home = Home::new();
    for path in [home.path(), home.directory.path().join("a/b/secrets.db"), home.path().join("secrets.db")] {
        let error = SqliteStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoStore, "{error}");
        assert!(error.to_string().contains("secretkit create"), "{error}");
    }
    assert!(files(home.directory.path()).is_empty());
}

#[test]
fn creating_again_opens_what_is_there() {
    let home = Home::filled();
    let first = SqliteStore::open(&home.path()).unwrap();
    let again = SqliteStore::create(&home.path()).unwrap();
    assert_eq!(secretkit_core::SecretStore::info(&first).unwrap(), secretkit_core::SecretStore::info(&again).unwrap());
    assert!(!again.is_empty().unwrap());
    assert_eq!(again.path(), first.path());
    assert_eq!(get(&home.secrets(again), "acme/etl:db/password"), b"second");
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o611] {
        let home = Home::filled();
        chmod(&home.path(), mode);
        let refused = refusal(&home.path(), ErrorKind::UnsafeStore);
        assert!(refused.contains("chmod 600"), "{refused}");
        chmod(&home.path(), 0o600);
        assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    }
}

#[test]
fn so_is_one_whose_log_others_can_read() {
    for name in ["secrets.db-wal", "secrets.db-shm", "secrets.db-journal"] {
        let home = Home::filled();
        let beside = home.directory.path().join(name);
        fs::write(&beside, b"").unwrap();
        chmod(&beside, 0o644);
        let refused = refusal(&home.path(), ErrorKind::UnsafeStore);
        assert!(refused.contains("chmod 600") && refused.contains(name), "{refused}");
    }
}

#[test]
fn so_is_one_that_others_can_replace() {
    let home = Home::filled();
    for writable in [0o770, 0o720, 0o702, 0o777] {
        chmod(home.directory.path(), writable);
        let refused = refusal(&home.path(), ErrorKind::UnsafeStore);
        assert!(refused.contains("chmod go-w"), "{refused}");
    }
    chmod(home.directory.path(), 0o755);
    assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    // As /tmp is: others cannot replace our files there, and can make the log before we do.
    for sticky in [0o1777, 0o1770] {
        chmod(home.directory.path(), sticky);
        let refused = refusal(&home.path(), ErrorKind::UnsafeStore);
        assert!(refused.contains("make a directory of your own"), "{refused}");
    }
    let fresh = Home::new();
    chmod(fresh.directory.path(), 0o777);
    assert_eq!(SqliteStore::create(&fresh.path()).unwrap_err().kind(), ErrorKind::UnsafeStore);
    assert!(files(fresh.directory.path()).is_empty());
}

#[test]
fn so_is_one_below_a_directory_that_others_can_replace() {
    let above = tempfile::tempdir().unwrap();
    let within = above.path().join("alice");
    fs::create_dir(&within).unwrap();
    chmod(&within, 0o700);
    let home = Home::filled();
    let path = within.join("secrets.db");
    fs::copy(home.path(), &path).unwrap();
    for safe in [0o700, 0o755, 0o775, 0o1777] {
        chmod(above.path(), safe);
        assert_eq!(get(&home.secrets(SqliteStore::open(&path).unwrap()), "acme:token"), b"t0k3n", "{safe:o}");
    }
    for others in [0o777, 0o702] {
        chmod(above.path(), others);
        let refused = refusal(&path, ErrorKind::UnsafeStore);
        let named = above.path().canonicalize().unwrap();
        assert!(refused.contains("chmod o-w") && refused.contains(&*named.to_string_lossy()), "{refused}");
        // Nothing is made there either.
        let fresh = above.path().join("bob/data/secrets.db");
        assert_eq!(SqliteStore::create(&fresh).unwrap_err().kind(), ErrorKind::UnsafeStore);
        assert_eq!(files(above.path()), ["alice"]);
    }
}

#[test]
fn so_is_one_in_or_below_a_directory_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        support::skip("so_is_one_in_or_below_a_directory_of_another_user", &"only root can give a directory away");
        return;
    }
    let above = tempfile::tempdir().unwrap();
    let home = Home { directory: tempfile::tempdir_in(above.path()).unwrap(), ..Home::filled() };
    drop(home.created());
    for theirs in [home.directory.path(), above.path()] {
        std::os::unix::fs::chown(theirs, Some(1234), None).unwrap();
        let refused = refusal(&home.path(), ErrorKind::UnsafeStore);
        assert!(refused.contains("another user") && refused.contains("chown"), "{refused}");
        std::os::unix::fs::chown(theirs, Some(0), None).unwrap();
        drop(home.opened());
    }
}

#[test]
fn a_symbolic_link_is_refused_and_one_on_the_way_is_followed() {
    let home = Home::filled();
    let other = tempfile::tempdir().unwrap();
    let link = other.path().join("link.db");
    symlink(home.path(), &link).unwrap();
    assert!(refusal(&link, ErrorKind::UnsafeStore).contains("symbolic link"));
    symlink("nowhere", other.path().join("dangling.db")).unwrap();
    refusal(&other.path().join("dangling.db"), ErrorKind::UnsafeStore);
    symlink(home.directory.path(), other.path().join("way")).unwrap();
    let store = SqliteStore::open(&other.path().join("way/secrets.db")).unwrap();
    assert_eq!(store.path(), home.path().canonicalize().unwrap());
    assert_eq!(get(&home.secrets(store), "acme:token"), b"t0k3n");
}

#[test]
fn a_file_with_two_names_is_refused_under_each() {
    let home = Home::filled();
    let other = home.directory.path().join("other.db");
    fs::hard_link(home.path(), &other).unwrap();
    for path in [&home.path(), &other] {
        let refused = refusal(path, ErrorKind::UnsafeStore);
        assert!(refused.contains("another name") && refused.contains("hard link"), "{refused}");
    }
    fs::remove_file(&other).unwrap();
    assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    // For the moment in which a file system without a better way gives a new store its name.
    fs::hard_link(home.path(), &other).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            fs::remove_file(&other).unwrap();
        });
        drop(SqliteStore::open(&home.path()).unwrap());
    });
}

#[test]
fn a_name_that_sqlite_gives_to_its_own_files_is_refused() {
    let home = Home::new();
    for name in ["secrets.db-wal", "secrets.db-shm", "secrets.db-journal", "secrets.db-Journal"] {
        let path = home.directory.path().join(name);
        let error = SqliteStore::create(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafeStore, "{error}");
        assert!(files(home.directory.path()).is_empty());
    }
    drop(home.created());
    // One that has such a name already opens as long as there is nothing beside which SQLite would keep it.
    let path = home.directory.path().join("old.db-journal");
    fs::rename(home.path(), &path).unwrap();
    drop(SqliteStore::open(&path).unwrap());
    drop(home.created());
    drop(SqliteStore::open(&path).unwrap());
    fs::rename(home.path(), home.directory.path().join("old.db")).unwrap();
    let refused = refusal(&path, ErrorKind::UnsafeStore);
    assert!(refused.contains("beside") && refused.contains("old.db"), "{refused}");
}

#[test]
fn what_is_no_file_is_refused() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    refusal(&home.path(), ErrorKind::FileIsDirectory);
    let pipe = home.directory.path().join("pipe.db");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from(0o600)).unwrap();
    refusal(&pipe, ErrorKind::UnsafeStore);
    for path in ["/", "..", "/tmp/.."] {
        assert_eq!(SqliteStore::open(Path::new(path)).unwrap_err().kind(), ErrorKind::FileIsDirectory, "{path}");
    }
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_alone() {
    let home = Home::new();
    for content in [&b""[..], b"x", b"KEY=value\n", &[0; 100], &[0x5a; 100_000], b"SQLite format 3\0"] {
        fs::write(home.path(), content).unwrap();
        chmod(&home.path(), 0o600);
        refusal(&home.path(), ErrorKind::NotAStore);
        assert_eq!(fs::read(home.path()).unwrap(), content);
    }
    fs::remove_file(home.path()).unwrap();
    home.raw().execute_batch("CREATE TABLE secrets (a); INSERT INTO secrets VALUES (1)").unwrap();
    chmod(&home.path(), 0o600);
    let refused = refusal(&home.path(), ErrorKind::NotAStore);
    assert!(refused.contains("not made by secretkit"), "{refused}");
    assert_eq!(home.raw().query_row("SELECT a FROM secrets", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_newer_schema_is_refused_with_its_version() {
    let home = Home::filled();
    home.raw().execute_batch("PRAGMA user_version = 7").unwrap();
    let refused = refusal(&home.path(), ErrorKind::NotAStore);
    assert!(refused.contains("version 7") && refused.contains("up to 1") && refused.contains("upgrade"), "{refused}");
    home.raw().execute_batch("PRAGMA user_version = 0").unwrap();
    refusal(&home.path(), ErrorKind::NotAStore);
}

#[test]
fn a_schema_that_is_not_ours_to_the_letter_is_refused() {
    let changes = [
        "CREATE TRIGGER copy AFTER INSERT ON secrets BEGIN DELETE FROM keyring; END",
        "CREATE VIEW everything AS SELECT * FROM secrets",
        "CREATE TABLE mine (a)",
        "CREATE INDEX mine ON secrets (description)",
        "ALTER TABLE secrets ADD COLUMN note TEXT",
        "ALTER TABLE secrets RENAME COLUMN description TO note",
        "DROP TABLE revisions",
        "ALTER TABLE keyring RENAME TO k; CREATE VIEW keyring AS SELECT * FROM k",
    ];
    for change in changes {
        let home = Home::filled();
        home.raw().execute_batch(change).unwrap();
        let refused = refusal(&home.path(), ErrorKind::NotAStore);
        assert!(refused.contains("schema"), "{change}: {refused}");
    }
    let home = Home::filled();
    home.raw().execute_batch("ANALYZE; VACUUM").unwrap();
    assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
}

#[test]
fn the_row_that_says_which_store_it_is_must_make_sense() {
    let changes = [
        "DELETE FROM store",
        "INSERT INTO store SELECT * FROM store",
        "UPDATE store SET id = x'00'",
        "UPDATE store SET schema = 2",
    ];
    for change in changes {
        let home = Home::filled();
        home.raw().execute_batch(change).unwrap();
        refusal(&home.path(), ErrorKind::Corrupt);
    }
    // A whole id of another store opens, and nothing in it does.
    let home = Home::filled();
    home.raw().execute_batch("UPDATE store SET id = randomblob(16)").unwrap();
    assert_eq!(home.opened().get(&id("acme:token")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_path_may_hold_what_a_name_of_ours_may_not() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a b?c#d%41.db", "ü 🔑'\".db", "file:x.db", ":memory:", "-rf", "a&immutable=1"] {
        let home = Home { directory: tempfile::tempdir_in(directory.path()).unwrap(), ..Home::new() };
        let path = home.directory.path().join(name);
        put(&home.secrets(SqliteStore::create(&path).unwrap()), "acme:a", b"1");
        assert_eq!(get(&home.secrets(SqliteStore::open(&path).unwrap()), "acme:a"), b"1");
        assert_eq!(files(home.directory.path()), [name]);
    }
}

#[test]
fn a_store_that_vanishes_is_missed() {
    let home = Home::filled();
    let secrets = home.opened();
    fs::remove_file(home.path()).unwrap();
    assert!(matches!(SqliteStore::open(&home.path()), Err(Error::NoStore { .. })));
    // The first write opens the writer, which makes no new file in its place.
    let outcome = secrets.put(&id("acme:late"), &SecretValue::copied_from(b"x"), PutMode::Create);
    assert!(outcome.is_err());
    assert!(!home.path().exists());
}

#[test]
fn another_store_in_its_place_is_noticed() {
    let (home, other) = (Home::filled(), Home::filled());
    let (secrets, store) = (home.opened(), SqliteStore::open(&home.path()).unwrap());
    drop(SqliteStore::open(&other.path()).unwrap());
    fs::rename(other.path(), home.path()).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(home.directory.path().join(format!("secrets.db{suffix}")));
    }
    // The writer is opened by the first write and finds the other file.
    let refused = secrets.put(&id("acme:new"), &SecretValue::copied_from(b"x"), PutMode::Create).unwrap_err();
    assert!(refused.to_string().contains("another store"), "{refused}");
    drop((secrets, store));
    let theirs = other.secrets(SqliteStore::open(&home.path()).unwrap());
    assert_eq!(theirs.get(&id("acme:new")).unwrap_err().kind(), ErrorKind::NotFound);
}
