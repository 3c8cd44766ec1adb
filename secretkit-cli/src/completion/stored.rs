//! Names and scopes from the store that the line names, read within a second or left out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Parser;
use secretkit::store::Within;
use secretkit::{Error, Filter, KeyUrl, Scope, Search, SecretId, Settings};

use super::line::Line;
use crate::arguments::Global;

/// How long a person waits: what is not there by then is left out.
const PATIENCE: Duration = Duration::from_millis(1000);

/// More words than anybody reads.
const MOST: usize = 2000;

/// How many secrets are read at a time.
const PAGE: usize = 500;

/// Which names.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Those at exactly the scope of the line.
    Exactly,
    /// Those that a task there would see.
    Along,
}

/// Which parts of the addresses there are.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum What {
    Scopes,
    Projects,
    Domains,
}

/// The names that begin like this.
pub(super) fn names(line: &Line<'_>, typed: &str, names: Names) -> Option<BTreeSet<String>> {
    let settings = settings(line, &[])?;
    let scope = settings.scope().ok()?;
    let within = match names {
        Names::Exactly => Within::Exactly(scope),
        Names::Along => Within::Along(scope),
    };
    // No name has fewer than one letter, so an empty text needs no search.
    let search = if typed.is_empty() { None } else { Some(Search::parse(typed).ok()?) };
    let filter = Filter { search, ..Filter::default() };
    let begins = typed.to_owned();
    read(settings, within, filter, move |id| Some(id.name().to_string()).filter(|name| name.starts_with(&begins)))
}

/// The scopes, projects or domains that secrets of the org live at and that begin like this.
pub(super) fn places(line: &Line<'_>, typed: &str, what: What) -> Option<BTreeSet<String>> {
    // What stands in the word that is being typed says the org of a scope, and replaces nothing but itself.
    let without: &[&str] = match what {
        What::Scopes => &["scope", "org", "project", "domain", "workspace"],
        What::Projects => &["project", "domain"],
        What::Domains => &["domain"],
    };
    let mut settings = settings(line, without)?;
    if let (What::Scopes, Some((org, _))) = (what, typed.split_once('/')) {
        settings.org = Some(org.parse::<Scope>().ok()?.org().clone());
    }
    let scope = settings.scope().ok()?;
    let begins = typed.to_owned();
    let project = scope.project().cloned().filter(|_| what == What::Domains);
    read(settings, Within::Org(scope.org().clone()), Filter::default(), move |id| {
        let scope = id.scope();
        let place = match what {
            What::Scopes => Some(scope.to_string()),
            What::Projects => scope.project().map(ToString::to_string),
            What::Domains if project.is_some() && scope.project().is_some() && scope.project() != project.as_ref() => {
                None
            }
            What::Domains => scope.domain().map(ToString::to_string),
        };
        place.filter(|place| place.starts_with(&begins))
    })
}

/// What the global options of the line and the variables say, but for these options.
fn settings(line: &Line<'_>, without: &[&str]) -> Option<Settings> {
    let given = line.options.iter().filter(|(option, _)| {
        let id = option.get_id().as_str();
        PLACE.contains(&id) && !without.contains(&id)
    });
    let options = given.filter_map(|(option, value)| {
        let mut argument = OsString::from(format!("--{}=", option.get_long()?));
        argument.push(at_home(value));
        Some(argument)
    });
    let mut settings = Place::try_parse_from(options).ok()?.global.settings().ok()?;
    // A line is being typed: no question may appear in the middle of it.
    settings.ask = None;
    Some(settings)
}

/// The global options that say where secrets are.
const PLACE: [&str; 11] =
    ["scope", "org", "project", "domain", "workspace", "store", "key", "key_file", "previous_key", "org_key", "anchor"];

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Place {
    #[command(flatten)]
    global: Global,
}

/// As the shell would hand it over.
fn at_home(value: &OsString) -> OsString {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (value.as_bytes().strip_prefix(b"~/"), home) {
        (Some(rest), Some(home)) => Path::new(&home).join(std::ffi::OsStr::from_bytes(rest)).into(),
        _ => value.clone(),
    }
}

/// Reads the pages of a listing beside the clock. Every head is verified, as `list` does it; an error is the end of it
/// all, and nothing is offered.
fn read(
    settings: Settings,
    within: Within,
    filter: Filter,
    pick: impl Fn(&SecretId) -> Option<String> + Send + 'static,
) -> Option<BTreeSet<String>> {
    // A command may do anything, and a keyring may ask; neither ends with this process.
    let has_doings = |url: &KeyUrl| matches!(url, KeyUrl::Command(_) | KeyUrl::Keyring(_));
    let of_orgs = settings.org_keys.iter().map(|(_, url)| url);
    if settings.key.iter().chain(&settings.previous_keys).chain(of_orgs).any(has_doings) {
        return None;
    }
    let end = Instant::now() + PATIENCE;
    let (sender, pages) = mpsc::sync_channel::<Result<Vec<String>, Error>>(1);
    // It is left behind where it takes too long: this process is about to end, and it only reads.
    std::thread::Builder::new()
        .spawn(move || {
            let secrets = match settings.open_existing() {
                Ok(secrets) => secrets,
                Err(error) => return drop(sender.send(Err(error))),
            };
            for page in secrets.list(within, PAGE).filtered(filter) {
                let picked = page.map(|infos| infos.iter().filter_map(|info| pick(&info.address)).collect());
                if sender.send(picked).is_err() {
                    return;
                }
            }
        })
        .ok()?;
    let mut found = BTreeSet::new();
    while found.len() < MOST {
        match pages.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Ok(page)) => found.extend(page),
            Ok(Err(_)) => return None,
            Err(_) => break,
        }
    }
    while found.len() > MOST {
        found.pop_last();
    }
    Some(found)
}
