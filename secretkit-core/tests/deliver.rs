//! Delivery: files that only their owner reads and that are gone afterwards, and variables that a child gets exactly.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use secretkit_core::deliver::{Delivery, DeliveryOptions, FileMount};
use secretkit_core::{
    Access, Clock, ErrorKind, ManualClock, MemoryStore, MetadataEdit, Part, PartKind, PutMode, RootKey, Scope,
    SecretId, SecretRequest, SecretValue, Secrets, Setting, Timestamp,
};

fn secrets(values: &[(&str, &[u8])]) -> Secrets {
    let root = Arc::new(RootKey::generate().unwrap());
    let secrets = Secrets::new(Arc::new(MemoryStore::new()), root, Access::Unrestricted);
    for (id, value) in values {
        secrets.put(&id.parse().unwrap(), &SecretValue::copied_from(value), PutMode::Create).unwrap();
    }
    secrets
}

fn request(name: &str) -> SecretRequest {
    SecretRequest::new(name.parse().unwrap())
}

fn in_base(base: &Path) -> DeliveryOptions {
    let mut options = DeliveryOptions::default();
    options.mount_bases = vec![base.to_owned()];
    options
}

fn task() -> Scope {
    "acme/etl/production".parse().unwrap()
}

fn key(name: &str) -> Part {
    Part::parse(PartKind::Key, name).unwrap()
}

/// The one directory that a user's mounts are made in.
fn home(base: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [home] = &entries[..] else { panic!("{entries:?}") };
    home.clone()
}

fn tasks(base: &Path) -> usize {
    fs::read_dir(home(base))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().as_bytes().starts_with(b"task-"))
        .count()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_are_read_only_to_their_owner_and_gone_afterwards() {
    let base = tempfile::tempdir().unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let secrets = secrets(&[("acme:cert", &every_byte), ("acme:group/cert", b"other")]);
    let requests = [request("cert").as_file(), request("group/cert").as_file()];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
    let path = delivery.file(&"cert".parse().unwrap()).unwrap().to_owned();
    assert_eq!(fs::read(&path).unwrap(), every_byte);
    assert_eq!(path.file_name().unwrap(), "cert");
    assert_eq!(fs::read(delivery.file(&"group/cert".parse().unwrap()).unwrap()).unwrap(), b"other");
    assert_eq!(mode(&path), 0o400);
    for directory in path.ancestors().skip(1).take(3) {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    delivery.close().unwrap();
    assert!(!path.exists());
    assert_eq!(tasks(base.path()), 0);
}

#[test]
fn files_go_even_when_the_task_panics_or_adds_its_own() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:cert", b"c3rt")]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let requests = [request("cert").as_file()];
        let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
        let path = delivery.file(&"cert".parse().unwrap()).unwrap();
        fs::create_dir(path.with_file_name("deep")).unwrap();
        fs::write(path.with_file_name("deep").join("copy"), "x").unwrap();
        symlink("/etc/passwd", path.with_file_name("link")).unwrap();
        panic!("the task fails");
    }));
    assert!(panicked.is_err());
    assert_eq!(tasks(base.path()), 0);
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn what_a_killed_task_left_is_cleared_up_and_what_runs_is_not() {
    let base = tempfile::tempdir().unwrap();
    let mut running = FileMount::create(&[base.path().to_owned()]).unwrap();
    let kept = running.write(&key("a"), &SecretValue::copied_from(b"1")).unwrap();
    // What a killed process leaves: its directory with its file, and a lock that nobody holds.
    let left = home(base.path()).join("task-0123456789abcdef");
    fs::create_dir_all(left.join("0")).unwrap();
    fs::write(left.join("0/key"), "left").unwrap();
    fs::write(left.join("lock"), "").unwrap();
    let next = FileMount::create(&[base.path().to_owned()]).unwrap();
    assert!(!left.exists(), "cleared up");
    assert_eq!(fs::read(&kept).unwrap(), b"1", "still running");
    assert!(next.path().exists());
    drop((running, next));
    assert_eq!(tasks(base.path()), 0);
}

#[test]
fn a_place_that_others_can_reach_is_refused() {
    let base = tempfile::tempdir().unwrap();
    drop(FileMount::create(&[base.path().to_owned()]).unwrap());
    fs::set_permissions(home(base.path()), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = FileMount::create(&[base.path().to_owned()]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Undeliverable);

    let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = format!("secretkit-{}", rustix::process::geteuid().as_raw());
    symlink(outside.path(), base.path().join(name)).unwrap();
    FileMount::create(&[base.path().to_owned()]).unwrap_err();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// Somebody who may write to the base swaps our directory for a link to theirs, as fast as they can.
#[test]
fn a_racer_who_swaps_the_directory_gets_nothing() {
    let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(FileMount::create(&[base.path().to_owned()]).unwrap());
    let (ours, aside) = (home(base.path()), base.path().join("aside"));
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut mounted = 0;
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if fs::rename(&ours, &aside).is_ok() && symlink(outside.path(), &ours).is_ok() {
                    std::hint::spin_loop();
                    let _ = fs::remove_file(&ours);
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
                // A mount may have made a new directory in between; ours goes back over it while that is empty.
                if fs::rename(&aside, &ours).is_err() {
                    let _ = fs::remove_dir_all(&aside);
                }
            }
        });
        // On a busy machine the racer gets few turns: until it had some, however long that takes within reason.
        let started = std::time::Instant::now();
        let mut mounts = 0;
        while mounts < 3_000 || swaps.load(Ordering::Relaxed) <= 100 && started.elapsed().as_secs() < 60 {
            mounts += 1;
            if let Ok(mut mount) = FileMount::create(&[base.path().to_owned()]) {
                mounted += u32::from(mount.write(&key("k"), &SecretValue::copied_from(b"v")).is_ok());
            }
        }
        done.store(true, Ordering::Relaxed);
        let swaps = swaps.load(Ordering::Relaxed);
        println!("{swaps} swaps, {mounted} of {mounts} mounts succeeded");
        assert!(swaps > 100, "the racer raced");
    });
    assert!(mounted > 0, "and some mounts won");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "a write outside");
}

/// Threads and processes clear up after each other all the time; none of it may reach a task that is doing well.
#[test]
fn many_tasks_at_once_make_and_remove_their_own() {
    let base = tempfile::tempdir().unwrap();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..100 {
                    let mut mount = FileMount::create(&[base.path().to_owned()]).unwrap();
                    let path = mount.write(&key("k"), &SecretValue::copied_from(b"v")).unwrap();
                    assert_eq!(fs::read(path).unwrap(), b"v");
                    mount.close().unwrap();
                }
            });
        }
    });
    assert_eq!(tasks(base.path()), 0);
}

#[test]
fn a_child_gets_its_variables_exactly() {
    let value: Vec<u8> = (1..=255).collect();
    let secrets = secrets(&[("acme:api_key", &value)]);
    let requests = [request("api_key").with_variable("API_KEY".parse().unwrap())];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &DeliveryOptions::default()).unwrap();
    let mut child = Command::new("/bin/sh");
    child.args(["-c", "printf %s \"$API_KEY\""]);
    delivery.environment().apply_to(&mut child);
    let output = child.output().unwrap();
    assert_eq!(output.stdout, value);
    assert!(std::env::var_os("API_KEY").is_none(), "this process never has it");
}

#[test]
fn a_file_request_with_a_variable_gives_its_path() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:cert", b"c3rt")]);
    let requests = [request("cert").as_file().with_variable("CERT".parse().unwrap())];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
    let planned = delivery.environment().iter().next().unwrap();
    let path = delivery.file(&"cert".parse().unwrap()).unwrap();
    assert_eq!(planned.value.expose_secret(), path.as_os_str().as_bytes());
}

#[test]
fn a_variable_is_made_from_the_name_or_refused() {
    let variable = |name: &str| {
        let secrets = secrets(&[(&format!("acme:{name}"), b"v")]);
        let mut wanted = request(name);
        wanted.mount = secretkit_core::Mount::Variable;
        let delivery = Delivery::prepare(&secrets, &task(), &[wanted], &DeliveryOptions::default())?;
        Ok::<_, secretkit_core::Error>(delivery.environment().iter().next().unwrap().name.to_string())
    };
    assert_eq!(variable("my_key").unwrap(), "_FSEC_MY_KEY");
    assert_eq!(variable("group/my_key").unwrap(), "_FSEC_GROUP_MY_KEY");
    for ambiguous in ["my-key", "my.key", "g-1/key"] {
        assert_eq!(variable(ambiguous).unwrap_err().kind(), ErrorKind::InvalidVariable, "{ambiguous}");
    }
}

#[test]
fn variable_names_are_strict() {
    for name in ["A", "_", "a1", "API_KEY", &"A".repeat(512)] {
        name.parse::<secretkit_core::VariableName>().unwrap();
    }
    for name in ["", "1A", "A-B", "A B", "A\n", "A=B", "A\0", "É", &"A".repeat(513)] {
        let refused = name.parse::<secretkit_core::VariableName>().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidVariable, "{name:?}");
    }
}

#[test]
fn what_cannot_be_delivered_fails_at_the_start_and_leaves_no_file() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:cert", b"c3rt"), ("acme:nul", b"a\0b"), ("acme:other", b"o")]);
    let prepare =
        |requests: &[SecretRequest]| Delivery::prepare(&secrets, &task(), requests, &in_base(base.path())).map(drop);
    let into = |name: &str, variable: &str| request(name).with_variable(variable.parse().unwrap());

    let missing = prepare(&[request("cert").as_file(), into("gone", "A"), request("lost").as_file()]).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let words = missing.to_string();
    for expected in ["gone", "lost", "acme/etl/production, acme/etl, acme/*/production, acme"] {
        assert!(words.contains(expected), "{words}");
    }
    let nul = prepare(&[request("cert").as_file(), into("nul", "A")]).unwrap_err();
    assert_eq!(nul.kind(), ErrorKind::Undeliverable);
    let twice = prepare(&[into("cert", "A"), into("other", "A")]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::InvalidVariable);
    assert!(twice.to_string().contains("acme:cert") && twice.to_string().contains("acme:other"), "{twice}");
    assert_eq!(tasks(base.path()), 0);
}

#[test]
fn what_is_only_read_fails_when_it_is_read() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    let secrets = secrets(&[("acme:token", b"old")]).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let requests = [request("token"), request("gone")];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &DeliveryOptions::default()).unwrap();
    let read = |name: &str| delivery.get(&name.parse().unwrap(), None).map(|found| found.value.clone());
    assert_eq!(read("gone").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read("stranger").unwrap_err().kind(), ErrorKind::NotRequested);
    assert_eq!(delivery.file(&"token".parse().unwrap()).unwrap_err().kind(), ErrorKind::NotRequested);
    secrets.update(&"acme:token".parse().unwrap(), &SecretValue::copied_from(b"new")).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(read("token").unwrap().expose_secret(), b"old", "one revision throughout");
}

#[test]
fn what_a_task_starts_with_fails_at_the_start_and_what_it_reads_later_then() {
    let base = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    let secrets = secrets(&[]).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let (id, mut edit): (SecretId, _) = ("acme:token".parse().unwrap(), MetadataEdit::default());
    edit.expires_at = Setting::Set(Timestamp::from_micros(1));
    secrets.put_with(&id, &SecretValue::copied_from(b"t"), PutMode::Create, &edit).unwrap();
    clock.advance(Duration::from_secs(1));
    let prepare = |request| Delivery::prepare(&secrets, &task(), &[request], &in_base(base.path()));
    for request in [request("token").as_file(), request("token").with_variable("T".parse().unwrap())] {
        assert_eq!(prepare(request).unwrap_err().kind(), ErrorKind::Expired);
    }
    let later = prepare(request("token")).unwrap();
    assert_eq!(later.get(id.name(), None).unwrap_err().kind(), ErrorKind::Expired);
}

#[test]
fn each_revision_that_was_requested_has_a_file_of_its_own() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:token", b"first")]);
    let first = secrets.info(&"acme:token".parse().unwrap()).unwrap().revision;
    secrets.update(&"acme:token".parse().unwrap(), &SecretValue::copied_from(b"second")).unwrap();
    let requests = [request("token").as_file(), request("token").as_file().at_revision(first)];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
    let name = "token".parse().unwrap();
    let read = |revision| delivery.file_at(&name, revision).map(|path| fs::read(path).unwrap());
    assert_eq!(read(None).unwrap(), b"second");
    assert_eq!(read(Some(first)).unwrap(), b"first");
    assert_eq!(fs::read(delivery.file(&name).unwrap()).unwrap(), b"second", "the first request's");
    assert_eq!(read(Some(first.next())).unwrap_err().kind(), ErrorKind::NotRequested);
    assert!(delivery.environment().is_empty());
}

#[test]
fn files_that_could_not_be_removed_are_told_of() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:cert", b"c3rt")]);
    // Something else stands where the files were.
    let replace = |directory: &Path| {
        fs::remove_dir_all(directory).unwrap();
        fs::write(directory, "").unwrap();
    };
    let mount = FileMount::create(&[base.path().to_owned()]).unwrap();
    replace(mount.path());
    assert_eq!(mount.close().unwrap_err().kind(), ErrorKind::Other);
    let requests = [request("cert").as_file().with_variable("CERT".parse().unwrap())];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
    assert!(!delivery.environment().is_empty());
    replace(delivery.file(&"cert".parse().unwrap()).unwrap().parent().unwrap().parent().unwrap());
    assert_eq!(delivery.close().unwrap_err().kind(), ErrorKind::Other);
}

#[test]
fn a_delivery_reduced_to_its_files_keeps_them_and_nothing_else() {
    let base = tempfile::tempdir().unwrap();
    let secrets = secrets(&[("acme:token", b"t")]);
    let requests = [
        request("token").as_file().with_variable("T".parse().unwrap()),
        request("token").with_variable("V".parse().unwrap()),
    ];
    let delivery = Delivery::prepare(&secrets, &task(), &requests, &in_base(base.path())).unwrap();
    let path = delivery.file(&"token".parse().unwrap()).unwrap().to_owned();
    let mut child = Command::new("sh");
    child.args(["-c", "test \"$V\" = t && sleep 0.1 && cat \"$T\""]);
    delivery.environment().apply_to(&mut child);
    let child = child.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let files = delivery.into_files();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"t");
    assert!(path.exists());
    files.unwrap().close().unwrap();
    assert_eq!(tasks(base.path()), 0);

    let in_variables = Delivery::prepare(&secrets, &task(), &requests[1..], &in_base(base.path())).unwrap();
    assert!(in_variables.into_files().is_none());
}
