//! A process that forks while its store is open, and both sides going on.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secretkit_core::{ErrorKind, PutMode, SecretValue, Secrets, store::Within};
use secretkit_test_shared::forks::{fork, wait};
use support::{Home, files, get, id, put};

#[test]
fn what_a_child_commits_outlives_its_parents_store() {
    let home = Home::new();
    let secrets = home.created();
    put(&secrets, "acme:before", b"1");
    let (mut ready, mut parent) = std::io::pipe().unwrap();
    let (mut go, mut closed) = std::io::pipe().unwrap();
    let child = fork(|| {
        assert_eq!(get(&secrets, "acme:before"), b"1");
        put(&secrets, "acme:child", b"2");
        std::io::Write::write_all(&mut parent, b"r").unwrap();
        std::io::Read::read_exact(&mut go, &mut [0]).unwrap();
        // The parent has closed the file by now, as if it were the last.
        put(&secrets, "acme:late", b"3");
        assert_eq!(get(&secrets, "acme:child"), b"2");
    });
    std::io::Read::read_exact(&mut ready, &mut [0]).unwrap();
    assert_eq!(get(&secrets, "acme:child"), b"2");
    drop(secrets);
    assert!(files(home.directory.path()).contains(&"secrets.db-wal".to_owned()), "the child's log was removed");
    std::io::Write::write_all(&mut closed, b"g").unwrap();
    wait(child);
    let again = home.opened();
    for (address, value) in [("acme:before", b"1"), ("acme:child", b"2"), ("acme:late", b"3")] {
        assert_eq!(get(&again, address), value);
    }
}

#[test]
fn a_log_that_others_have_made_meanwhile_is_not_written_to() {
    let home = Home::filled();
    let secrets = home.opened();
    put(&secrets, "acme:before", b"written");
    // Every connection is closed for it, and the log goes.
    wait(fork(|| {}));
    assert_eq!(files(home.directory.path()), ["secrets.db"]);
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let planted = home.directory.path().join(format!("secrets.db{suffix}"));
        fs::write(&planted, b"").unwrap();
        chmod(&planted, 0o666);
        let write = || secrets.put(&id("acme:new"), &SecretValue::copied_from(b"x"), PutMode::Create);
        assert_eq!(write().unwrap_err().kind(), ErrorKind::UnsafeStore);
        std::thread::sleep(Duration::from_millis(120));
        assert_eq!(secrets.get(&id("acme:before")).unwrap_err().kind(), ErrorKind::UnsafeStore);
        assert_eq!(fs::read(&planted).unwrap(), b"");
        fs::remove_file(&planted).unwrap();
        // Nor is one made where others could have been faster.
        chmod(home.directory.path(), 0o1777);
        assert_eq!(write().unwrap_err().kind(), ErrorKind::UnsafeStore);
        chmod(home.directory.path(), 0o700);
    }
    put(&secrets, "acme:new", b"x");
    assert_eq!(get(&secrets, "acme:before"), b"written");
}

#[test]
fn a_parent_with_busy_threads_forks_a_hundred_times() {
    let home = Home::new();
    let secrets = home.created();
    put(&secrets, "acme:shared", b"0");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (secrets, done) = (&secrets, &done);
            scope.spawn(move || {
                let mut round = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    put(secrets, &format!("acme:thread-{thread}"), &round.to_be_bytes());
                    assert_eq!(get(secrets, &format!("acme:thread-{thread}")), round.to_be_bytes());
                    round += 1;
                }
            });
        }
        let finished = Finished(&done);
        for round in 0..25 {
            let children: Vec<_> = (0..4).map(|child| fork(|| work(&home, &secrets, round * 4 + child))).collect();
            put(&secrets, "acme:shared", &[round]);
            children.into_iter().for_each(wait);
        }
        drop(finished);
    });
    let listed: Vec<_> = secrets.list(Within::Org(id("acme:a").org().clone()), 50).flat_map(Result::unwrap).collect();
    assert_eq!(listed.iter().filter(|info| info.address.name().key().as_str().starts_with("child-")).count(), 100);
    assert!(listed.iter().all(|info| secrets.get(&info.address).is_ok()));
    drop(secrets);
    let verdict: String = home.raw().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// The store is the parent's own; the façade around it is new, because another thread may have been inside the old one.
fn work(home: &Home, inherited: &Secrets, child: u8) {
    let address = format!("acme:child-{child}");
    let secrets = home.opened();
    put(&secrets, &address, &[child]);
    put(&secrets, "acme:shared", &[child]);
    assert_eq!(get(&secrets, &address), [child]);
    // The inherited store answers too.
    assert_eq!(inherited.store().info().unwrap(), secrets.store().info().unwrap());
    assert!(inherited.store().keyring(id("acme:a").org()).unwrap().is_some());
}

struct Finished<'a>(&'a AtomicBool);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
