//! A store under each kind of root key, through the settings that a host gives.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secretkit::{
    AskPassphrase, Error, ErrorKind, KeyRole, PassphraseQuestion, PutMode, Result, SecretId, SecretRequest,
    SecretValue, Secrets, Settings,
};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn key(&self, name: &str) -> String {
        let path = self.path(name);
        if !path.exists() {
            secretkit::create_root_key(&path).unwrap();
        }
        format!("file:{}", path.display())
    }

    /// A passphrase in a file of this mode.
    fn passphrase(&self, name: &str, text: &str, bits: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        format!("passphrase:file:{}", path.display())
    }

    fn settings(&self, key: &str) -> Settings {
        let mut settings = Settings::default();
        settings.store = Some(format!("sqlite:{}", self.path("s.db").display()).parse().unwrap());
        settings.key = Some(key.parse().unwrap());
        settings
    }
}

fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

fn put(secrets: &Secrets, at: &str) -> Result<()> {
    secrets.put(&id(at), &SecretValue::copied_from(b"hunter2"), PutMode::Create).map(drop)
}

#[track_caller]
fn reads(settings: &Settings, at: &str) {
    let found = settings.open_existing().unwrap().get(&id(at)).unwrap();
    assert_eq!(found.value.expose_secret(), b"hunter2");
}

#[track_caller]
fn refused(settings: &Settings, at: &str, kind: ErrorKind) -> String {
    let error = settings.open_existing().and_then(|secrets| secrets.get(&id(at))).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    format!("{error} {error:?}")
}

#[test]
fn a_store_under_a_passphrase_in_a_file() {
    let place = Place::new();
    let settings = place.settings(&place.passphrase("p", "correct horse\n", 0o600));
    put(&settings.open_or_create().unwrap().0, "acme:a").unwrap();
    reads(&settings, "acme:a");
    reads(&place.settings(&place.passphrase("again", "correct horse", 0o400)), "acme:a");
    let wrong = place.settings(&place.passphrase("other", "battery staple", 0o600));
    let told = refused(&wrong, "acme:a", ErrorKind::WrongRootKey);
    assert!(told.contains("altered") && !told.contains("battery"), "{told}");
    refused(&place.settings(&place.passphrase("open", "correct horse", 0o640)), "acme:a", ErrorKind::ExposedRootKey);
    refused(&place.settings(&place.passphrase("empty", "\n", 0o600)), "acme:a", ErrorKind::InvalidMetadata);
    let long = "x".repeat(2000);
    refused(&place.settings(&place.passphrase("long", &long, 0o600)), "acme:a", ErrorKind::InvalidMetadata);
    let missing = format!("passphrase:file:{}", place.path("missing").display());
    refused(&place.settings(&missing), "acme:a", ErrorKind::FileMissing);
    refused(&place.settings("passphrase:env:SECRETKIT_TEST_IS_NOT_SET"), "acme:a", ErrorKind::NoRootKey);
    refused(&place.settings(&place.key("root.key")), "acme:a", ErrorKind::WrongRootKey);
}

#[test]
fn a_store_under_the_output_of_a_command_and_under_the_file_it_prints_are_the_same() {
    let place = Place::new();
    let file = place.key("root.key");
    let command = format!("exec:cat {}", place.path("root.key").display());
    put(&place.settings(&command).open_or_create().unwrap().0, "acme:a").unwrap();
    reads(&place.settings(&file), "acme:a");
    let failing = format!("exec:cat {}", place.path("missing").display());
    refused(&place.settings(&failing), "acme:a", ErrorKind::RootKeyUnavailable);
}

#[test]
fn nothing_is_made_where_a_command_gives_no_key() {
    let place = Place::new();
    for (key, kind) in [
        ("exec:false", ErrorKind::RootKeyUnavailable),
        ("exec:true", ErrorKind::MalformedRootKey),
        ("exec:/nonexistent/tool", ErrorKind::RootKeyUnavailable),
        ("passphrase:", ErrorKind::NoRootKey),
    ] {
        assert_eq!(place.settings(key).open_or_create().unwrap_err().kind(), kind, "{key}");
        assert!(!place.path("s.db").exists(), "{key}");
    }
}

/// A new root key: the one of before opens what it wrapped until all is wrapped anew.
#[test]
fn a_previous_key_opens_until_the_store_is_rewrapped() {
    let place = Place::new();
    let (old, new) = (place.key("old.key"), place.passphrase("new", "correct horse", 0o600));
    put(&place.settings(&old).open_or_create().unwrap().0, "acme:a").unwrap();
    refused(&place.settings(&new), "acme:a", ErrorKind::WrongRootKey);

    let mut both = place.settings(&new);
    // One that is never needed is never read.
    both.previous_keys = vec![old.parse().unwrap(), "file:/nonexistent/older.key".parse().unwrap()];
    reads(&both, "acme:a");
    assert_eq!(both.open_existing().unwrap().keys().rewrap().unwrap(), 1);
    reads(&place.settings(&new), "acme:a");
    refused(&place.settings(&old), "acme:a", ErrorKind::WrongRootKey);

    // One that is needed and not there says so.
    let mut stranger = place.settings(&place.key("other.key"));
    stranger.previous_keys = vec!["file:/nonexistent/older.key".parse().unwrap()];
    refused(&stranger, "acme:a", ErrorKind::FileMissing);
}

#[test]
fn an_org_has_a_root_key_of_its_own() {
    let place = Place::new();
    let (shared, own) = (place.key("shared.key"), place.key("acme.key"));
    let mut settings = place.settings(&shared);
    settings.org_keys = vec![("acme:x".parse::<SecretId>().unwrap().org().clone(), own.parse().unwrap())];
    let secrets = settings.open_or_create().unwrap().0;
    put(&secrets, "acme:a").unwrap();
    put(&secrets, "other:a").unwrap();
    reads(&settings, "acme:a");
    reads(&place.settings(&own), "acme:a");
    refused(&place.settings(&own), "other:a", ErrorKind::WrongRootKey);
    refused(&place.settings(&shared), "acme:a", ErrorKind::WrongRootKey);

    settings.org_keys.push(settings.org_keys[0].clone());
    assert_eq!(settings.open_existing().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn an_org_is_moved_to_a_root_key_of_its_own() {
    let place = Place::new();
    let (shared, own) = (place.key("shared.key"), place.key("acme.key"));
    put(&place.settings(&shared).open_or_create().unwrap().0, "acme:a").unwrap();
    let mut settings = place.settings(&shared);
    settings.org_keys = vec![(id("acme:x").org().clone(), own.parse().unwrap())];
    let told = refused(&settings, "acme:a", ErrorKind::WrongRootKey);
    assert!(told.contains("name the other as a previous root key until it is rewrapped"), "{told}");
    assert_eq!(settings.open_existing().unwrap().keys().rewrap().unwrap_err().kind(), ErrorKind::WrongRootKey);

    settings.previous_keys = vec![shared.parse().unwrap()];
    reads(&settings, "acme:a");
    assert_eq!(settings.open_existing().unwrap().keys().rewrap().unwrap(), 1);
    settings.previous_keys.clear();
    reads(&settings, "acme:a");
    reads(&place.settings(&own), "acme:a");
    refused(&place.settings(&shared), "acme:a", ErrorKind::WrongRootKey);
}

/// Answers from a list, and notes what it was asked.
#[derive(Debug, Default)]
struct Host {
    answers: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<String>>,
}

impl AskPassphrase for Host {
    fn ask(&self, question: PassphraseQuestion<'_>) -> Result<SecretValue> {
        let (kind, role) = match question {
            PassphraseQuestion::Known(role) => ("known", role),
            PassphraseQuestion::New(role) => ("new", role),
            _ => panic!("a question that this host does not know"),
        };
        let role = match role {
            KeyRole::Primary => "primary".to_owned(),
            KeyRole::Previous => "previous".to_owned(),
            KeyRole::Org(org) => org.to_string(),
            _ => panic!("a role that this host does not know"),
        };
        self.asked.lock().unwrap().push(format!("{kind} {role}"));
        let answer = self.answers.lock().unwrap().pop();
        answer.map(|text| SecretValue::copied_from(text.as_bytes())).ok_or_else(|| Error::NoRootKey("nobody".into()))
    }
}

fn asking(place: &Place, answers: &[&'static str]) -> (Settings, Arc<Host>) {
    let host = Arc::new(Host { answers: Mutex::new(answers.iter().rev().copied().collect()), ..Host::default() });
    let mut settings = place.settings("passphrase:");
    settings.ask = Some(Arc::clone(&host) as Arc<dyn AskPassphrase>);
    (settings, host)
}

fn asked(host: &Host) -> Vec<String> {
    std::mem::take(&mut host.asked.lock().unwrap())
}

#[test]
fn a_passphrase_is_asked_for_once_and_as_a_new_one_only_where_it_is_new() {
    let place = Place::new();
    // Nobody answers: nothing is left of the attempt.
    let (settings, host) = asking(&place, &[]);
    assert_eq!(settings.open_or_create().unwrap_err().kind(), ErrorKind::NoRootKey);
    assert_eq!(asked(&host), ["new primary"]);
    assert!(!place.path("s.db").exists());

    let (settings, host) = asking(&place, &["correct horse"]);
    let secrets = settings.open_or_create().unwrap().0;
    put(&secrets, "acme:a").unwrap();
    put(&secrets, "other:b").unwrap();
    assert_eq!(asked(&host), ["new primary"]);

    // What exists is opened with the one that made it, and serves for a new org without another question.
    let (settings, host) = asking(&place, &["correct horse"]);
    let secrets = settings.open_or_create().unwrap().0;
    assert!(asked(&host).is_empty(), "not before it is needed");
    secrets.get(&id("acme:a")).unwrap();
    put(&secrets, "third:c").unwrap();
    assert_eq!(asked(&host), ["known primary"]);

    // A new org before anything was opened: the answer is one that opened nothing yet.
    let (settings, host) = asking(&place, &["correct horse"]);
    put(&settings.open_or_create().unwrap().0, "fourth:d").unwrap();
    assert_eq!(asked(&host), ["new primary"]);

    let (settings, host) = asking(&place, &["battery staple"]);
    refused(&settings, "acme:a", ErrorKind::WrongRootKey);
    assert_eq!(asked(&host), ["known primary"]);
}

#[test]
fn a_mistyped_passphrase_is_asked_for_again() {
    let place = Place::new();
    let (settings, _) = asking(&place, &["correct horse"]);
    let secrets = settings.open_or_create().unwrap().0;
    put(&secrets, "acme:a").unwrap();
    put(&secrets, "acme:b").unwrap();

    let (settings, host) = asking(&place, &["correct hose", "correct horse"]);
    let secrets = settings.open_existing().unwrap();
    // One call asks once, however many secrets it is about.
    let requests = ["a", "b"].map(|name| SecretRequest::new(name.parse().unwrap()));
    let outcomes = secrets.resolve_many(&"acme".parse().unwrap(), &requests).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(Error::WrongPassphrase { .. }))), "{outcomes:?}");
    assert_eq!(asked(&host), ["known primary"]);
    std::thread::sleep(Duration::from_millis(1100));
    secrets.get(&id("acme:a")).unwrap();
    assert_eq!(asked(&host), ["known primary"]);
    std::thread::sleep(Duration::from_millis(1100));
    put(&secrets, "other:c").unwrap();
    assert!(asked(&host).is_empty(), "one that opened something stays");

    // Nor is one forgotten that is not the one needed here, where another opens it.
    let (mut settings, host) = asking(&place, &["new one", "correct horse"]);
    settings.previous_keys = vec!["passphrase:".parse().unwrap()];
    let secrets = settings.open_existing().unwrap();
    for at in ["acme:a", "other:c"] {
        secrets.get(&id(at)).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
    }
    assert_eq!(asked(&host), ["known primary", "known previous"]);
}

#[test]
fn nobody_is_asked_for_a_passphrase_that_cannot_help() {
    let place = Place::new();
    let file = place.key("root.key");
    put(&place.settings(&file).open_or_create().unwrap().0, "acme:a").unwrap();
    let (mut settings, host) = asking(&place, &["never asked for"]);
    refused(&settings, "acme:a", ErrorKind::WrongRootKey);
    settings.previous_keys = vec![file.parse().unwrap()];
    reads(&settings, "acme:a");
    assert!(asked(&host).is_empty());
}

#[test]
fn each_of_several_passphrases_is_asked_for_by_its_role() {
    let place = Place::new();
    let (settings, _) = asking(&place, &["old one"]);
    put(&settings.open_or_create().unwrap().0, "acme:a").unwrap();
    let (mut settings, host) = asking(&place, &["new one", "old one", "new one"]);
    settings.previous_keys = vec!["passphrase:".parse().unwrap()];
    assert_eq!(settings.open_existing().unwrap().keys().rewrap().unwrap(), 1);
    assert_eq!(asked(&host), ["known primary", "known previous", "new primary"]);
    let (settings, _) = asking(&place, &["new one"]);
    reads(&settings, "acme:a");

    let (mut settings, host) = asking(&place, &["tenant's"]);
    settings.key = Some(place.key("root.key").parse().unwrap());
    settings.org_keys = vec![(id("tenant:x").org().clone(), "passphrase:".parse().unwrap())];
    put(&settings.open_or_create().unwrap().0, "tenant:a").unwrap();
    assert_eq!(asked(&host), ["new tenant"]);
}

#[test]
fn relative_paths_become_absolute_everywhere() {
    let mut settings = Settings::default();
    settings.store = Some("sqlite:s.db".parse().unwrap());
    settings.key = Some("passphrase:file:p".parse().unwrap());
    settings.previous_keys = vec!["file:old.key".parse().unwrap(), "env:OLD".parse().unwrap()];
    settings.org_keys = vec![(id("acme:x").org().clone(), "file:acme.key".parse().unwrap())];
    let here = std::env::current_dir().unwrap();
    let absolute = settings.absolute().unwrap();
    let under = |name: &str| here.join(name).display().to_string();
    assert_eq!(absolute.store.unwrap().to_string(), format!("sqlite:{}", under("s.db")));
    assert_eq!(absolute.key.unwrap().to_string(), format!("passphrase:file:{}", under("p")));
    assert_eq!(absolute.previous_keys[0].to_string(), format!("file:{}", under("old.key")));
    assert_eq!(absolute.previous_keys[1].to_string(), "env:OLD");
    assert_eq!(absolute.org_keys[0].1.to_string(), format!("file:{}", under("acme.key")));
}

#[test]
fn this_build_says_whether_it_has_the_desktops_keyring() {
    let place = Place::new();
    let outcome = place.settings("keyring:secretkit/none").open_or_create();
    let kind = outcome.unwrap_err().kind();
    if cfg!(all(feature = "keyring", target_os = "linux")) {
        assert!(matches!(kind, ErrorKind::RootKeyUnavailable | ErrorKind::NoRootKey), "{kind}");
    } else {
        assert_eq!(kind, ErrorKind::Unsupported);
    }
    assert!(!Path::new(&place.path("s.db")).exists());
}
