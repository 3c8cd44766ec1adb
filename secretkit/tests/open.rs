//! Opening by URL, and the root key that is made once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secretkit::{ErrorKind, PutMode, RootKey, SecretValue, Secrets};

fn url(scheme: &str, path: &Path) -> String {
    format!("{scheme}:{}", path.display())
}

fn refusal(store: &str, key: &str) -> Option<ErrorKind> {
    secretkit::open(store, key).err().map(|error| error.kind())
}

#[test]
fn a_store_opens_again_with_its_key_and_with_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, key) = (url("sqlite", &folder.path().join("s.db")), folder.path().join("root.key"));
    let other = folder.path().join("other.key");
    secretkit::create_root_key(&key).unwrap();
    secretkit::create_root_key(&other).unwrap();
    let id = "acme/etl:db/password".parse().unwrap();
    let open = |key: &Path| secretkit::open(&store, &url("file", key)).unwrap();
    open(&key).put(&id, &SecretValue::copied_from(b"hunter2"), PutMode::Create).unwrap();
    assert_eq!(open(&key).get(&id).unwrap().value.expose_secret(), b"hunter2");
    assert_eq!(open(&other).get(&id).unwrap_err().kind(), ErrorKind::WrongRootKey);
}

#[test]
fn nothing_is_made_where_the_key_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("s.db");
    let exposed = folder.path().join("exposed.key");
    fs::write(&exposed, RootKey::generate().unwrap().to_text().expose_secret()).unwrap();
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    let missing = folder.path().join("missing.key");
    let store_url = url("sqlite", &store);
    assert_eq!(refusal(&store_url, &url("file", &missing)), Some(ErrorKind::FileMissing));
    assert_eq!(refusal(&store_url, &url("file", &exposed)), Some(ErrorKind::ExposedRootKey));
    assert_eq!(refusal(&store_url, "env:SECRETKIT_TEST_IS_NOT_SET"), Some(ErrorKind::NoRootKey));
    assert_eq!(refusal(&store_url, "vault:x"), Some(ErrorKind::Unsupported));
    assert!(!store.exists() && !missing.exists());
}

#[test]
fn a_root_key_file_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/root.key");
    let made = secretkit::create_root_key(&path).unwrap();
    let text = fs::read(&path).unwrap();
    assert_eq!(text.len(), 45);
    assert_eq!(RootKey::from_file(&path).unwrap().id(), made.id());
    assert_eq!(secretkit::create_root_key(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), text);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn many_that_make_one_key_at_once_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| secretkit::create_root_key(&path))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
    });
    assert_eq!(made.len(), 1);
    assert_eq!(RootKey::from_file(&path).unwrap().id(), made[0].id());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn a_store_in_memory_needs_no_key_and_is_gone_with_its_opener() {
    let mut settings = secretkit::Settings::default();
    settings.store = Some("memory:".parse().unwrap());
    settings.actor = Some(secretkit::Actor::parse("tester").unwrap());
    let write = |secrets: &Secrets| {
        let id = "default:token".parse().unwrap();
        secrets.put(&id, &SecretValue::copied_from(b"x"), PutMode::Create).unwrap()
    };
    let (first, created) = settings.open_or_create().unwrap();
    assert_eq!(write(&first).created.by.as_str(), "tester");
    assert_eq!(created, secretkit::Created::default(), "nothing on any disk");
    write(&settings.open_existing().unwrap());
}
