//! Hostile names, at every place of the command line where a name enters.

use secretkit::ErrorKind;
use secretkit_core::conformance::hostile_names;

use crate::sandbox::{CANARY, Sandbox};

/// Those that a command line can carry: no NUL, and no longer than Linux lets one argument be.
fn names() -> Vec<String> {
    hostile_names().into_iter().filter(|name| !name.contains('\0') && name.len() < 100_000).collect()
}

#[test]
fn no_hostile_name_gets_in_or_comes_back() {
    let sandbox = Sandbox::new();
    sandbox.create("a", CANARY.as_bytes(), "acme");
    let before = sandbox.state();
    let names = names();
    assert!(names.len() >= 60, "{}", names.len());
    for name in &names {
        let mut refused = vec![sandbox.run_with(["create", "-f", "-", "-o", "json", "--", name], b"x", &[])];
        refused.push(sandbox.run(["show", "-o", "json", "--scope", "acme", "--", name]));
        for outcome in refused {
            assert_eq!(outcome.error()["error"], ErrorKind::InvalidName.as_str(), "{name:?}: {outcome:?}");
            assert_eq!(outcome.code, i32::from(ErrorKind::InvalidName.exit_code()), "{name:?}");
            // Not in the error either; one or two characters may stand in any sentence.
            assert!(name.chars().count() < 3 || !outcome.stderr.contains(name.as_str()), "{name:?}: {outcome:?}");
        }
    }
    assert_eq!(sandbox.state(), before, "something was changed");
}

#[test]
fn no_hostile_org_project_or_domain_gets_in() {
    let sandbox = Sandbox::new();
    for name in names() {
        for option in ["--org", "--project", "--domain"] {
            let outcome = sandbox.run_with(["create", "a", "-f", "-", &format!("{option}={name}")], b"x", &[]);
            assert_eq!(outcome.code, i32::from(ErrorKind::InvalidName.exit_code()), "{option} {name:?}: {outcome:?}");
        }
        // As a whole scope most of them have another shape, and `a..b` and the like still a bad part.
        let outcome = sandbox.run(["list", &format!("--scope={name}")]);
        let kinds = [ErrorKind::InvalidName, ErrorKind::InvalidScope, ErrorKind::NoStore];
        assert!(kinds.iter().any(|kind| i32::from(kind.exit_code()) == outcome.code), "{name:?}: {outcome:?}");
        assert_ne!(sandbox.run(["list", &format!("--workspace={name}")]).code, 0, "{name:?}");
    }
    assert!(!sandbox.store().exists() && !sandbox.key().exists(), "nothing was made");
}

#[test]
fn arguments_that_are_not_text_are_refused_where_they_name_something() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let bytes = std::ffi::OsStr::from_bytes(b"ab\xff");
    for option in ["--org", "--project", "--domain", "--name"] {
        let arguments = ["create".as_ref(), "-f".as_ref(), "-".as_ref(), option.as_ref(), bytes];
        let outcome = sandbox.run(arguments.iter().chain(&["a".as_ref()][..usize::from(option != "--name")]));
        assert_eq!(outcome.code, i32::from(ErrorKind::InvalidName.exit_code()), "{option}: {outcome:?}");
        assert!(outcome.stderr.contains("offset 2"), "{outcome:?}");
    }
}
