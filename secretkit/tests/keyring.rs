//! The desktop's keyring, against a real one: a bus and a keyring daemon that are started for this test alone.
//!
//! Runs with `--features keyring`, which `make test` gives it, where `dbus-run-session` and `gnome-keyring-daemon` are
//! installed; says why where it does not.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

/// Past the harness, which keeps what a test that passes prints.
fn skipped(why: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("skipped: keyring: {why}\n").as_bytes()).unwrap();
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
#[test]
fn the_desktops_keyring_is_not_in_this_build() {
    skipped("this build has none; cargo test -p secretkit --features keyring --test keyring has");
    let url: secretkit::KeyUrl = "keyring:secretkit/root".parse().unwrap();
    assert_eq!(url.load().unwrap_err().kind(), secretkit::ErrorKind::Unsupported);
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
mod desktop {
    use std::collections::HashMap;
    use std::process::{Command, Stdio};

    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;
    use secretkit::{ErrorKind, KeyUrl, PutMode, RootKey, SecretValue, Settings};

    /// Set in the process that runs inside of the session.
    const INSIDE: &str = "SECRETKIT_TEST_KEYRING_SESSION";

    fn is_installed(program: &str) -> bool {
        let outcome = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        outcome.is_ok()
    }

    /// This very test once more, within a bus and a keyring of its own.
    fn run_inside(test: &str, daemon: &str) {
        let missing = ["dbus-run-session", "gnome-keyring-daemon"].into_iter().find(|program| !is_installed(program));
        if let Some(missing) = missing {
            super::skipped(&format!("{missing} is not installed, and without a real keyring nothing would be tested"));
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let script = format!("{daemon} exec \"$0\" --exact desktop::{test} --nocapture --test-threads=1");
        let output = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(INSIDE, "1")
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("GNOME_KEYRING_CONTROL")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("1 passed"), "the test inside did not run: {told}");
    }

    fn is_inside() -> bool {
        std::env::var_os(INSIDE).is_some()
    }

    const UNLOCKED: &str = "printf login | gnome-keyring-daemon --unlock --components=secrets >/dev/null;";

    fn keep(service: &SecretService<'_>, attributes: &[(&str, &str)], secret: &[u8]) {
        let collection = service.get_default_collection().unwrap();
        let attributes = HashMap::from_iter(attributes.iter().copied());
        collection.create_item("secretkit", attributes, secret, false, "text/plain").unwrap();
    }

    fn load(url: &str) -> Result<(), ErrorKind> {
        let outcome = url.parse::<KeyUrl>().unwrap().load();
        outcome.map(drop).map_err(|error| {
            assert!(!format!("{error} {error:?}").contains("cAnArY"), "{error}");
            error.kind()
        })
    }

    #[test]
    fn a_store_opens_with_a_key_of_the_keyring() {
        if !is_inside() {
            return run_inside("a_store_opens_with_a_key_of_the_keyring", UNLOCKED);
        }
        let service = SecretService::connect(EncryptionType::Dh).unwrap();
        let key = RootKey::generate().unwrap();
        let text = key.to_text();
        keep(&service, &[("service", "secretkit"), ("username", "root")], text.expose_secret());
        // As other programs keep them: more attributes, and no line end.
        let others = [("service", "secretkit"), ("username", "other"), ("application", "a password manager")];
        keep(&service, &others, &text.expose_secret()[..44]);

        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.store = Some(format!("sqlite:{}", folder.path().join("s.db").display()).parse().unwrap());
        settings.key = Some("keyring:secretkit/root".parse().unwrap());
        let id = "acme:a".parse().unwrap();
        let secrets = settings.open_or_create().unwrap().0;
        secrets.put(&id, &SecretValue::copied_from(b"hunter2"), PutMode::Create).unwrap();
        settings.key = Some("keyring:secretkit/other".parse().unwrap());
        assert_eq!(settings.open_existing().unwrap().get(&id).unwrap().value.expose_secret(), b"hunter2");

        assert_eq!(load("keyring:secretkit/nobody"), Err(ErrorKind::NoRootKey));
        keep(&service, &[("service", "secretkit"), ("username", "bad")], b"cAnArY");
        assert_eq!(load("keyring:secretkit/bad"), Err(ErrorKind::MalformedRootKey));
        keep(&service, &[("service", "secretkit"), ("username", "root"), ("again", "1")], text.expose_secret());
        assert_eq!(load("keyring:secretkit/root"), Err(ErrorKind::RootKeyUnavailable), "which of the two is meant?");
    }

    #[test]
    fn a_bus_without_a_keyring_is_an_error_and_no_wait() {
        if !is_inside() {
            return run_inside(
                "a_bus_without_a_keyring_is_an_error_and_no_wait",
                "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus; export DBUS_SESSION_BUS_ADDRESS;",
            );
        }
        assert_eq!(load("keyring:secretkit/root"), Err(ErrorKind::RootKeyUnavailable));
    }
}
