//! The root key, and the keys in the store.

use std::path::{Path, PathBuf};

use secretkit::{Clock, ErrorKind, KeyRating, KeyUrl, Part, RootKey, SystemClock};

use super::Check;
use super::store::{Contents, State, beginning_with, counted, owner_and_mode};
use crate::commands::key::{Due, Keyring};
use crate::commands::orgs::is_erased;
use crate::commands::{NO_KEY_FILE, Session};

const CHECK: &str = "root key";

pub(super) fn check(session: &Session, state: &State, checks: &mut Vec<Check>) {
    let settings = &session.settings;
    match settings.key_url() {
        Ok(url) => {
            let whose = if settings.key.is_some() { Whose::Named } else { Whose::Users };
            check_key(&url, whose, state, checks);
        }
        Err(error) => checks.push(Check::insecure(CHECK, error.to_string(), "name a root key of your own with --key")),
    }
    settings.previous_keys.iter().for_each(|url| check_key(url, Whose::Previous, state, checks));
    settings.org_keys.iter().for_each(|(org, url)| check_key(url, Whose::Org(org), state, checks));
    checks.push(Check::secure(
        "root key age",
        "not recorded; a new one once a year is good practice, see `secretkit key rewrap --help`",
    ));
    if state.contents == Contents::Some {
        check_keyrings(session, checks);
    }
    check_anchor(session, state, checks);
}

/// What provides the key. Of a command nothing more is told: nobody knows what its arguments hold.
fn place(url: &KeyUrl) -> String {
    match url {
        KeyUrl::Command(_) => "exec:".to_owned(),
        url => url.to_string(),
    }
}

/// Which root key is meant.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// The user's own, which is made at the first write.
    Users,
    /// One that somebody named, which is not.
    Named,
    /// One of before, which may still open something.
    Previous,
    /// That of one org.
    Org(&'a Part),
}

impl Whose<'_> {
    const fn check(self) -> &'static str {
        match self {
            Self::Users | Self::Named => CHECK,
            Self::Previous => "previous key",
            Self::Org(_) => "key of an org",
        }
    }

    /// What is found of it, with the org where it is one org's.
    fn found(self, what: &str) -> String {
        match self {
            Self::Users | Self::Named | Self::Previous => what.to_owned(),
            Self::Org(org) => format!("{org}: {what}"),
        }
    }
}

fn check_key(url: &KeyUrl, whose: Whose<'_>, state: &State, checks: &mut Vec<Check>) {
    if let KeyUrl::File(path) = url {
        return check_file(path, whose, state, checks);
    }
    // What can be read without anybody's doing is read. A command may do anything, and a keyring may ask.
    let is_at_hand = !url.needs_asking() && !matches!(url, KeyUrl::Command(_) | KeyUrl::Keyring(_));
    if is_at_hand && let Err(error) = url.load() {
        let finding = whose.found(&format!("{}: {error}", place(url)));
        let advice =
            "put that right, or name another; where others may have read it, change it too: see docs/operations.md";
        // What is gone opens nothing, and shows nobody anything.
        let is_gone = error.kind() == ErrorKind::FileMissing && matches!(whose, Whose::Previous | Whose::Org(_));
        let check = if is_gone { Check::weak } else { Check::insecure };
        checks.push(check(whose.check(), finding, advice));
        return;
    }
    let (rating, words) = url.rating();
    let finding = whose.found(&format!("{}: {words}", place(url)));
    checks.push(match (rating, whose) {
        (KeyRating::Weak, Whose::Users | Whose::Named) => {
            Check::weak(CHECK, finding, "name a file of mode 600 with SECRETKIT_KEY_FILE")
        }
        (KeyRating::Weak, Whose::Previous | Whose::Org(_)) => {
            Check::weak(whose.check(), finding, "name a file of mode 600, as file:PATH")
        }
        _ => Check::secure(whose.check(), finding),
    });
}

fn check_file(path: &Path, whose: Whose<'_>, state: &State, checks: &mut Vec<Check>) {
    let (check, named) = (whose.check(), path.display());
    let found = |what: &str| whose.found(&format!("file {named}: {what}"));
    checks.push(match (RootKey::from_file(path), whose) {
        (Ok(_), _) => Check::secure(check, found(&owner_and_mode(path))),
        (Err(error), Whose::Previous | Whose::Org(_)) if error.kind() == ErrorKind::FileMissing => Check::weak(
            check,
            found("it is not there, and what only it opens stays closed"),
            "put it there, or take it out of the configuration",
        ),
        (Err(error), Whose::Users) if error.kind() == ErrorKind::FileMissing && state.contents == Contents::None => {
            Check::secure(check, found("none yet, the first write makes it"))
        }
        (Err(error), Whose::Named) if error.kind() == ErrorKind::FileMissing && state.contents == Contents::None => {
            Check::insecure(check, found("it is not there"), NO_KEY_FILE)
        }
        (Err(error), _) if error.kind() == ErrorKind::FileMissing => Check::insecure(
            check,
            found("it is not there, and without it no secret of the store opens"),
            "put the file with which the store was written there, or name it with SECRETKIT_KEY_FILE",
        ),
        // The error of an exposed key says what to do.
        (Err(error), _) => Check::insecure(
            check,
            whose.found(&error.to_string()),
            "put that right; where others may have read the key, change it too: see docs/operations.md",
        ),
    });
    let Some(directory) = directory_of(path) else { return };
    let is_beside = state.directory().is_some_and(|of_store| of_store == directory);
    let which = match whose {
        Whose::Users | Whose::Named => "the root key".to_owned(),
        Whose::Previous => "a root key of before".to_owned(),
        Whose::Org(org) => format!("the root key of org {org}"),
    };
    if is_beside {
        checks.push(Check::weak(
            "key and store",
            format!("{which} lies in {}, beside the store: who copies one copies both", directory.display()),
            "move the key to a place that is backed up and handed out apart from the store",
        ));
    }
    if matches!(whose, Whose::Previous | Whose::Org(_)) {
        return;
    }
    if !is_beside {
        checks.push(Check::secure("key and store", "in different directories"));
    }
    let left = beginning_with(&directory, &[".root-key-"]);
    if let Some(first) = left.first() {
        let finding = format!("{} with keys that were never used, such as {}", counted(left.len()), first.display());
        checks.push(Check::weak("left-overs", finding, "remove them"));
    }
}

impl State {
    fn directory(&self) -> Option<PathBuf> {
        self.path.as_deref().and_then(directory_of)
    }
}

fn directory_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    parent.canonicalize().ok()
}

fn check_keyrings(session: &Session, checks: &mut Vec<Check>) {
    const CHECK: &str = "keys";
    let now = SystemClock.now();
    let secrets = match session.existing() {
        Ok(secrets) => secrets,
        Err(error) => {
            checks.push(Check::insecure(CHECK, error.to_string(), "name the root key that the store was written with"));
            return;
        }
    };
    let seen = secrets.keys().orgs().and_then(|orgs| Ok((orgs, secrets.store().sees_all_orgs()?)));
    let (orgs, is_all) = match seen {
        Ok(seen) => seen,
        Err(error) => {
            checks.push(Check::insecure(CHECK, error.to_string(), "run: secretkit verify"));
            return;
        }
    };
    let mut fine = 0;
    for (org, _) in orgs {
        // The first step of a verification looks at the anchor too.
        let first_look = secrets.verify(&org).next().transpose();
        match first_look.and_then(|_| Keyring::read(&secrets, org.clone())) {
            Ok(keyring) if is_erased(&keyring.status) => fine += 1,
            Ok(keyring) => {
                let due: Vec<_> = keyring.hints(now).into_iter().filter(|hint| hint.due == Due::Now).collect();
                fine += usize::from(due.is_empty());
                for hint in due {
                    let command = hint.command.unwrap_or_default();
                    checks.push(Check::weak(CHECK, hint.what, format!("run: secretkit {command}")));
                }
            }
            Err(error) if error.kind() == ErrorKind::WrongRootKey => checks.push(Check::weak(
                CHECK,
                format!("org {org} cannot be opened: {error}"),
                "name its root key too, or work with the one that this org was written with",
            )),
            Err(error) => checks.push(Check::insecure(CHECK, format!("org {org}: {error}"), "run: secretkit verify")),
        }
    }
    if fine > 0 {
        let orgs = if fine == 1 { "1 org".to_owned() } else { format!("{fine} orgs") };
        let seen = if is_all { "" } else { " of those that this login sees" };
        let finding = format!("{orgs}{seen} with nothing to do, no data or meta key older than 365 days");
        checks.push(Check::secure(CHECK, finding));
    }
}

/// What remembers how far the store was, so that an old copy of it is refused.
fn check_anchor(session: &Session, state: &State, checks: &mut Vec<Check>) {
    const CHECK: &str = "anchor";
    checks.push(match &session.settings.anchor {
        None => Check::weak(
            CHECK,
            "none: an old copy of the whole store in its place would not be noticed",
            "where that matters, name a file on another disk, backed up apart from the store, with --anchor or \
             SECRETKIT_ANCHOR",
        ),
        Some(path) if directory_of(path).is_some_and(|directory| state.directory().as_deref() == Some(&*directory)) => {
            Check::weak(
                CHECK,
                format!("{}, beside the store: who puts back the one puts back the other", path.display()),
                "move it to another disk, and back it up apart from the store",
            )
        }
        Some(path) if !path.exists() => Check::weak(
            CHECK,
            format!("{}, which is not there: an old copy of the store would not be noticed", path.display()),
            "the next write makes it; where it was there before, find out who removed it",
        ),
        Some(path) => Check::secure(CHECK, format!("{}: {}", path.display(), owner_and_mode(path))),
    });
}
