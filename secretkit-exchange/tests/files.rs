//! Files and directories: what is read, what is refused, and what stands there afterwards.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Instant;

use secretkit_core::{Error, ErrorKind, SecretValue};
use secretkit_exchange::{
    Entry, Existing, Format, MAX_INPUT_BYTES, read_directory, read_file, write_directory, write_file,
};

fn entry(name: &str, value: &[u8]) -> Entry {
    Entry { name: name.parse().unwrap(), value: SecretValue::copied_from(value) }
}

fn pairs(entries: &[Entry]) -> Vec<(String, Vec<u8>)> {
    entries.iter().map(|entry| (entry.name.to_string(), entry.value.expose_secret().to_vec())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_directory_is_written_as_flyte_reads_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("secrets");
    let entries = [entry("API_KEY", b"k3y\n"), entry("Db/Password", b"\xff\x00"), entry("Db/User", b"")];
    write_directory(&path, &entries, Existing::Refuse).unwrap();
    assert_eq!(fs::read(path.join("api_key")).unwrap(), b"k3y\n");
    assert_eq!(fs::read(path.join("db/password")).unwrap(), b"\xff\x00");
    assert_eq!((mode(&path), mode(&path.join("db")), mode(&path.join("db/user"))), (0o700, 0o700, 0o600));
    let again = read_directory(&path).unwrap();
    let expected = [("api_key", &b"k3y\n"[..]), ("db/password", b"\xff\x00"), ("db/user", b"")];
    assert_eq!(pairs(&again), expected.map(|(name, value)| (name.to_owned(), value.to_vec())));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");

    let refused = write_directory(&path, &[entry("other", b"x")], Existing::Refuse).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Undeliverable);
    assert_eq!(read_directory(&path).unwrap().len(), 3);
    write_directory(&path, &[entry("other", b"x")], Existing::Replace).unwrap();
    assert_eq!(pairs(&read_directory(&path).unwrap()), [("other".to_owned(), b"x".to_vec())]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

/// What is replaced is removed with all that is in it.
#[test]
fn only_a_directory_that_was_exported_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (path, file) = (home.path().join("project"), home.path().join("file"));
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&file, "mine").unwrap();
    let entries = [entry("other", b"x")];
    write_directory(&path, &entries, Existing::Replace).unwrap();
    write_directory(&path, &[], Existing::Replace).unwrap();
    write_directory(&path, &entries, Existing::Replace).unwrap();

    fs::remove_file(path.join(".secretkit")).unwrap();
    fs::write(path.join("thesis"), "mine").unwrap();
    for place in [&path, &file] {
        let refused = write_directory(place, &entries, Existing::Replace).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Undeliverable);
    }
    assert_eq!(fs::read(path.join("thesis")).unwrap(), b"mine");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let link = home.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(write_directory(&link, &entries, Existing::Replace).is_err());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3, "nothing is left beside them");
}

#[test]
fn names_that_fall_together_are_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("secrets");
    for entries in [
        [entry("A", b"1"), entry("a", b"2")],
        [entry("g/A", b"1"), entry("G/a", b"2")],
        [entry("db", b"1"), entry("DB/password", b"2")],
    ] {
        let refused = write_directory(&path, &entries, Existing::Refuse).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Undeliverable);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

/// As Kubernetes mounts a secret: what has a name is a link to what is hidden, and that a link to the newest.
#[test]
fn a_mount_of_kubernetes_is_read() {
    let home = tempfile::tempdir().unwrap();
    let real = home.path().join("..2026_11_21");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("token"), "t0k3n").unwrap();
    symlink("..2026_11_21", home.path().join("..data")).unwrap();
    symlink("..data/token", home.path().join("token")).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(pairs(&read_directory(home.path()).unwrap()), [("token".to_owned(), b"t0k3n".to_vec())]);
    }
}

#[test]
fn nothing_outside_of_the_directory_is_read() {
    let home = tempfile::tempdir().unwrap();
    let (inside, outside) = (home.path().join("inside"), home.path().join("outside"));
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("canary"), "canary").unwrap();
    for (name, target) in [("token", "../outside/canary"), ("group", "../outside"), ("absolute", "/etc/hostname")] {
        drop(fs::remove_dir_all(&inside));
        fs::create_dir(&inside).unwrap();
        symlink(target, inside.join(name)).unwrap();
        let refused = read_directory(&inside).unwrap_err();
        assert!(matches!(refused, Error::InvalidInput { .. } | Error::File { .. }), "{refused:?}");
    }
}

#[test]
fn what_is_no_secrets_file_is_named() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at(".hidden"), "passed over").unwrap();
    assert!(read_directory(home.path()).unwrap().is_empty());
    for name in ["-dash", "a b", "ä", "a..b", &"x".repeat(129), "new\nline"] {
        fs::write(at(name), "x").unwrap();
        let refused = read_directory(home.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name}");
        assert!(!refused.to_string().contains('\n'));
        fs::remove_file(at(name)).unwrap();
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
    assert_eq!(read_directory(home.path()).unwrap_err().kind(), ErrorKind::InvalidInput, "and it does not wait");
    fs::remove_file(at("pipe")).unwrap();
    fs::create_dir_all(at("a/b/c")).unwrap();
    assert_eq!(read_directory(home.path()).unwrap_err().kind(), ErrorKind::InvalidInput, "a directory too deep");
    fs::remove_dir_all(at("a")).unwrap();
    fs::write(at("large"), vec![b'x'; MAX_INPUT_BYTES + 1]).unwrap();
    let refused = read_directory(home.path()).unwrap_err();
    assert!(matches!(&refused, Error::ValueTooLarge { name, .. } if name.to_string() == "large"), "{refused:?}");
    assert_eq!(read_directory(&at("never")).unwrap_err().kind(), ErrorKind::FileMissing);
}

/// Where the time grew with the square of the number, this took minutes.
#[test]
fn a_full_file_of_small_values_is_read() {
    const COUNT: usize = 60_000;
    let joined = |with: &str, one: fn(usize) -> String| (0..COUNT).map(one).collect::<Vec<_>>().join(with);
    for (format, text) in [
        (Format::Dotenv, joined("\n", |at| format!("K{at}=\"\\n\""))),
        (Format::Dotenv, joined("\n", |at| format!("K{at}='x'"))),
        (Format::Json, format!("{{\"g\":{{{}}}}}", joined(",\n", |at| format!("\"{at}\":\"\"")))),
        (Format::Json, format!("{{{}}}", joined(",\n", |at| format!("\"{at}\":\"\"")))),
    ] {
        assert!(text.len() <= MAX_INPUT_BYTES, "{}", text.len());
        assert_eq!(format.read(text.as_bytes()).unwrap().len(), COUNT);
    }
}

#[test]
fn it_is_the_missing_directory_that_is_named() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("never");
    let at = missing.join("out");
    let text = SecretValue::copied_from(b"A=1\n");
    for refused in [write_file(&at, &text, Existing::Refuse), write_directory(&at, &[], Existing::Refuse)] {
        assert!(matches!(&refused, Err(Error::File { path, .. }) if *path == missing), "{refused:?}");
    }
}

#[test]
fn a_file_is_for_its_owner_and_written_whole() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("out.env");
    let text = SecretValue::copied_from(b"A=1\n");
    write_file(&path, &text, Existing::Refuse).unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"A=1\n".to_vec(), 0o600));
    assert_eq!(write_file(&path, &text, Existing::Refuse).unwrap_err().kind(), ErrorKind::Undeliverable);

    // A link is replaced, and what it leads to stays as it is.
    let (link, target) = (home.path().join("link"), home.path().join("target"));
    fs::write(&target, "untouched").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    symlink(&target, &link).unwrap();
    assert!(write_file(&link, &text, Existing::Refuse).is_err());
    write_file(&link, &text, Existing::Replace).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"untouched");
    assert_eq!(mode(&link), 0o600);
    assert!(write_file(&home.path().join("never/out"), &text, Existing::Refuse).is_err());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3, "nothing is left beside them");
}

#[test]
fn a_pipe_or_a_descriptor_is_not_replaced_by_a_file() {
    let home = tempfile::tempdir().unwrap();
    let (pipe, link) = (home.path().join("pipe"), home.path().join("link"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    symlink(&pipe, &link).unwrap();
    let output = home.path().join("stdout");
    symlink(if cfg!(target_os = "linux") { "/proc/self/fd/0" } else { "fd/0" }, &output).unwrap();
    for place in [&pipe, &link, &output] {
        let before = fs::symlink_metadata(place).unwrap().file_type();
        for existing in [Existing::Refuse, Existing::Replace] {
            let refused = write_file(place, &SecretValue::copied_from(b"x"), existing);
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Undeliverable, "{}", place.display());
        }
        assert_eq!(fs::symlink_metadata(place).unwrap().file_type(), before);
    }
    let refused = write_file(home.path(), &SecretValue::copied_from(b"x"), Existing::Replace).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FileIsDirectory);

    // A descriptor by its own name, which is a file just now.
    let open = fs::File::create(home.path().join("open")).unwrap();
    for directory in ["/proc/self/fd", "/dev/fd"].map(Path::new).into_iter().filter(|directory| directory.is_dir()) {
        let place = directory.join(open.as_raw_fd().to_string());
        let refused = write_file(&place, &SecretValue::copied_from(b"x"), Existing::Replace).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Undeliverable, "{}", place.display());
    }
    assert_eq!(open.metadata().unwrap().len(), 0);
}

#[test]
fn no_more_than_the_limit_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("in.env");
    fs::write(&path, vec![b'\n'; MAX_INPUT_BYTES]).unwrap();
    let whole = read_file(&path).unwrap();
    assert!(Format::Dotenv.read(whole.expose_secret()).unwrap().is_empty());
    fs::write(&path, vec![b'\n'; MAX_INPUT_BYTES + 1]).unwrap();
    assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(Format::Json.read(&vec![b' '; MAX_INPUT_BYTES + 1]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(read_file(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::TooLarge, "and it ends");
    assert_eq!(read_file(home.path()).unwrap_err().kind(), ErrorKind::FileIsDirectory);
}

/// A buffer is wiped whole: one of the limit's size for each file took longer than all the rest.
#[test]
fn a_small_file_is_read_into_a_small_buffer() {
    const COUNT: usize = 60;
    let home = tempfile::tempdir().unwrap();
    for number in 0..COUNT {
        fs::write(home.path().join(number.to_string()), "k3y").unwrap();
    }
    let begun = Instant::now();
    assert_eq!(read_directory(home.path()).unwrap().len(), COUNT);
    let reading = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..COUNT {
        drop(SecretValue::init_with(MAX_INPUT_BYTES, |_| ()));
    }
    let wiping = begun.elapsed();
    assert!(reading < wiping / 2, "{reading:?} for reading, {wiping:?} for wiping as many large buffers");
}

#[test]
fn a_path_tells_its_format() {
    let home = tempfile::tempdir().unwrap();
    for (name, format) in [
        (".env", Some(Format::Dotenv)),
        (".env.production", Some(Format::Dotenv)),
        ("prod.env", Some(Format::Dotenv)),
        ("store.json", Some(Format::Nextflow)),
        ("a.json", Some(Format::Json)),
        ("a.yaml", None),
        ("a", None),
    ] {
        assert_eq!(Format::of_path(&home.path().join(name)), format, "{name}");
    }
    assert_eq!(Format::of_path(home.path()), Some(Format::Directory));
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
    }
}
