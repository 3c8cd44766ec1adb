//! Disks that cannot be written and disks that are full: real ones, mounted for the test where that is allowed.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rusqlite::config::DbConfig;
use secretkit_core::store::Within;
use secretkit_core::{Error, ErrorKind, PutMode, SecretValue, Secrets};
use secretkit_sqlite::SqliteStore;
use support::{Home, files, get, id, put};

/// Where only reading is possible: every read works, every write says so, and nothing is made.
fn only_reading_works(home: &Home) {
    let secrets = home.opened();
    let before = files(home.directory.path());
    assert_eq!(get(&secrets, "acme/etl:db/password"), b"second");
    assert_eq!(secrets.list(Within::Org(id("acme:a").org().clone()), 10).flat_map(Result::unwrap).count(), 2);
    let value = SecretValue::copied_from(b"late");
    let outcomes = [
        secrets.put(&id("acme:new"), &value, PutMode::Create).map(drop),
        secrets.put(&id("acme:token"), &value, PutMode::Overwrite).map(drop),
        secrets.put(&id("new:new"), &value, PutMode::Create).map(drop),
        secrets.delete(&id("acme:token")).map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
    assert!(!SqliteStore::open(&home.path()).unwrap().is_empty().unwrap());
    assert_eq!(get(&home.secrets(SqliteStore::create(&home.path()).unwrap()), "acme:token"), b"t0k3n");
    assert_eq!(files(home.directory.path()), before);
}

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Whether permission bits bind this user: they do not bind root.
fn permissions_bind(test: &str) -> bool {
    let binds = !rustix::process::geteuid().is_root();
    if !binds {
        support::skip(test, &"root may write everywhere; the read-only mount beside it is tested instead");
    }
    binds
}

#[test]
fn a_read_only_file_is_read() {
    if permissions_bind("a_read_only_file_is_read") {
        let home = Home::filled();
        chmod(&home.path(), 0o400);
        only_reading_works(&home);
    }
}

#[test]
fn a_file_in_a_read_only_directory_is_read() {
    if permissions_bind("a_file_in_a_read_only_directory_is_read") {
        let home = Home::filled();
        chmod(home.directory.path(), 0o500);
        only_reading_works(&home);
        chmod(home.directory.path(), 0o700);
    }
}

/// Leaves the log behind, as a kill does.
fn leave_a_log(home: &Home) {
    let connection = home.raw();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute_batch("UPDATE keyring SET version = version").unwrap();
    drop(connection);
    assert!(files(home.directory.path()).contains(&"secrets.db-wal".to_owned()));
}

#[cfg(target_os = "linux")]
mod mounted {
    use std::path::{Path, PathBuf};

    use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

    use super::*;

    /// Unmounted when dropped.
    struct Mount(PathBuf);

    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = unmount(&self.0, UnmountFlags::DETACH);
        }
    }

    /// The directory as a small file system of its own; `None` where this user may not mount.
    fn small(test: &str, path: &Path, size: &std::ffi::CStr) -> Option<Mount> {
        match mount("none", path, "tmpfs", MountFlags::empty(), size) {
            Ok(()) => Some(Mount(path.to_owned())),
            Err(errno) => {
                support::skip(test, &format_args!("this user may not mount a file system: {errno}"));
                None
            }
        }
    }

    /// The directory over itself, read-only.
    fn read_only(test: &str, path: &Path) -> Option<Mount> {
        if let Err(errno) = mount_bind(path, path) {
            support::skip(test, &format_args!("this user may not mount a file system: {errno}"));
            return None;
        }
        let mounted = Mount(path.to_owned());
        mount_remount(path, MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
        Some(mounted)
    }

    #[test]
    fn a_read_only_file_system_is_read() {
        let home = Home::filled();
        if let Some(_mount) = read_only("a_read_only_file_system_is_read", home.directory.path()) {
            only_reading_works(&home);
            let new = home.directory.path().join("new.db");
            assert_eq!(SqliteStore::create(&new).unwrap_err().kind(), ErrorKind::ReadOnly);
            assert_eq!(SqliteStore::open(&new).unwrap_err().kind(), ErrorKind::NoStore);
        }
    }

    #[test]
    fn what_a_kill_left_in_the_log_is_not_passed_over() {
        let home = Home::filled();
        leave_a_log(&home);
        fs::remove_file(home.directory.path().join("secrets.db-shm")).unwrap();
        if let Some(_mount) = read_only("what_a_kill_left_in_the_log_is_not_passed_over", home.directory.path()) {
            // Either the log is read, or the store is refused; never the older state without it.
            match SqliteStore::open(&home.path()) {
                Ok(store) => assert_eq!(get(&home.secrets(store), "acme:token"), b"t0k3n"),
                Err(error) => assert!(error.to_string().contains("-wal"), "{error}"),
            }
        }
        assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    }

    #[test]
    fn a_reader_of_a_read_only_mount_sees_what_is_written_elsewhere() {
        let home = Home::filled();
        let view = Home { directory: tempfile::tempdir().unwrap(), key: std::sync::Arc::clone(&home.key) };
        let test = "a_reader_of_a_read_only_mount_sees_what_is_written_elsewhere";
        match mount_bind(home.directory.path(), view.directory.path()) {
            Err(errno) => support::skip(test, &format_args!("this user may not mount a file system: {errno}")),
            Ok(()) => {
                let _mount = Mount(view.directory.path().to_owned());
                mount_remount(view.directory.path(), MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
                let reader = view.opened();
                assert_eq!(get(&reader, "acme:token"), b"t0k3n");
                for value in [b"1", b"2"] {
                    // A writer that comes and goes, as a command does.
                    put(&home.opened(), "acme:token", value);
                    assert_eq!(get(&reader, "acme:token"), value);
                }
                // And one that stays.
                let writer = home.opened();
                put(&writer, "acme:token", b"3");
                assert_eq!(get(&reader, "acme:token"), b"3");
                assert_eq!(get(&view.opened(), "acme:token"), b"3");
            }
        }
    }

    #[test]
    fn a_full_disk_loses_nothing_that_was_acknowledged() {
        let home = Home::new();
        let test = "a_full_disk_loses_nothing_that_was_acknowledged";
        let Some(_mount) = small(test, home.directory.path(), c"size=1m,mode=0700") else { return };
        let secrets = home.created();
        let mut acknowledged = fill(&secrets);
        assert!(acknowledged > 3, "{acknowledged} secrets fit");
        for number in 0..acknowledged {
            assert_eq!(get(&secrets, &format!("acme:big-{number}")), vec![number; 16 << 10]);
        }
        assert_eq!(secrets.get(&id(&format!("acme:big-{acknowledged}"))).unwrap_err().kind(), ErrorKind::NotFound);
        drop(secrets);
        // A new process finds the same; and once there is room, writing goes on.
        let again = home.opened();
        assert_eq!(get(&again, "acme:big-0"), vec![0; 16 << 10]);
        mount_remount(home.directory.path(), MountFlags::empty(), c"size=4m,mode=0700").unwrap();
        put(&again, &format!("acme:big-{acknowledged}"), b"fits");
        acknowledged += 1;
        let listed = again.list(Within::Org(id("acme:a").org().clone()), 100).flat_map(Result::unwrap).count();
        assert_eq!(listed, usize::from(acknowledged));
        drop(again);
        let verdict: String = home.raw().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }

    /// How many secrets were acknowledged before the disk was full.
    fn fill(secrets: &Secrets) -> u8 {
        for number in 0..200 {
            let value = SecretValue::copied_from(&vec![number; 16 << 10]);
            match secrets.put(&id(&format!("acme:big-{number}")), &value, PutMode::Create) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
                    return number;
                }
            }
        }
        panic!("the disk is never full");
    }

    #[test]
    fn no_store_is_half_made_on_a_full_disk() {
        let home = Home::new();
        let test = "no_store_is_half_made_on_a_full_disk";
        let Some(_mount) = small(test, home.directory.path(), c"size=64k,mode=0700") else { return };
        fs::write(home.directory.path().join("ballast"), vec![1; 40 << 10]).unwrap();
        let error = SqliteStore::create(&home.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert_eq!(files(home.directory.path()), ["ballast"]);
        fs::remove_file(home.directory.path().join("ballast")).unwrap();
        mount_remount(home.directory.path(), MountFlags::empty(), c"size=1m,mode=0700").unwrap();
        assert!(SqliteStore::create(&home.path()).unwrap().is_empty().unwrap());
    }
}

#[test]
fn a_log_that_a_kill_left_is_taken_up() {
    let home = Home::filled();
    leave_a_log(&home);
    for gone in ["secrets.db-shm", "none"] {
        let _ = fs::remove_file(home.directory.path().join(gone));
        assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
    }
    put(&home.opened(), "acme:token", b"after");
    assert_eq!(get(&home.opened(), "acme:token"), b"after");
    assert!(!matches!(SqliteStore::open(&home.path()), Err(Error::UnsafeStore { .. })));
}
