//! `secretkit key status`.

use std::fmt;
use std::io::Write;

use secretkit::seal::{KekId, KeyId, KeyInfo, KeyState, KeyUse};
use secretkit::{Clock, Error, KeyStatus, Part, Secrets, SystemClock, Timestamp};
use serde::Serialize;

use super::short;
use crate::commands::Session;
use crate::commands::orgs::is_erased;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::json::as_text;
use crate::rows::{self, Column, Row};
use crate::times::{self, to_the_second};

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let secrets = session.existing()?;
    let now = SystemClock.now();
    let mut failed = None;
    let mut orgs = Vec::new();
    for (org, root_key) in session.orgs(&secrets)? {
        let keyring = match Keyring::read(&secrets, org.clone()) {
            Ok(keyring) => Some(keyring),
            Err(error) => {
                // The others are shown all the same; the last line and the exit code tell of the first that is not.
                let stop = Stop::from(error);
                match failed {
                    None => failed = Some(stop),
                    Some(_) => session.console.warning(&format!("the keys of org {org} cannot be opened either")),
                }
                None
            }
        };
        orgs.push((org, root_key, keyring));
    }
    let hints_of = |keyring: &Option<Keyring>| {
        let hints = keyring.as_ref().map(|keyring| keyring.hints(now)).unwrap_or_default();
        hints.iter().map(ToString::to_string).collect()
    };
    let hints: Vec<Vec<String>> = orgs.iter().map(|(_, _, keyring)| hints_of(keyring)).collect();
    match session.console.format {
        Format::Table => {
            let rows: Vec<_> =
                orgs.iter().flat_map(|(org, root, keyring)| lines(org, root, keyring.as_ref(), now)).collect();
            rows::print(&session.console, &rows)?;
            hints.iter().flatten().for_each(|hint| session.console.notice(hint));
        }
        Format::Json => {
            let object = |((org, root_key, keyring), hints): (&(Part, KekId, Option<Keyring>), &Vec<String>)| {
                serde_json::to_string(&OrgObject::new(org, root_key, keyring.as_ref(), hints))
            };
            let objects: Result<Vec<_>, _> = orgs.iter().zip(&hints).map(object).collect();
            let objects = objects.map_err(|error| Stop::output(error.into()))?;
            let text = if objects.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", objects.join(",\n")) };
            console::standard_output()?.write_all(text.as_bytes()).map_err(Stop::output)?;
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The keys of an org that could be opened.
pub(in crate::commands) struct Keyring {
    pub(in crate::commands) status: KeyStatus,
    /// Whether it is wrapped with another root key than it would be today.
    pub(in crate::commands) rewrap_due: bool,
}

impl Keyring {
    pub(in crate::commands) fn read(secrets: &Secrets, org: Part) -> Result<Self, Error> {
        let status = secrets.keys().status(&org)?;
        let rewrap_due = secrets.keys().root_key_for(&org)? != status.root_key;
        Ok(Self { status, rewrap_due })
    }

    /// What is to be done, each with the command.
    pub(in crate::commands) fn hints(&self, now: Timestamp) -> Vec<Hint> {
        let org = &self.status.org;
        if is_erased(&self.status) {
            let what = format!("org {org} is erased: all its keys are destroyed");
            return vec![Hint { what, command: None, due: Due::Sometime }];
        }
        let mut hints = Vec::new();
        let mut hint = |due, what: String, command: String| {
            hints.push(Hint { what: format!("org {org}: {what}"), command: Some(command), due });
        };
        if self.rewrap_due {
            let what = "rewrap due, its keys are wrapped with another root key than that of today";
            hint(Due::Now, what.to_owned(), "key rewrap".to_owned());
        }
        let mut left = 0;
        for (KeyInfo { id, used_for, state, created_at, .. }, items) in &self.status.keys {
            let key = short(*id);
            match state {
                KeyState::Pending => {
                    let what = format!("the {used_for} key {key} is pending");
                    hint(Due::Now, what, format!("key promote {key} --org {org}"));
                }
                KeyState::Primary if matches!(used_for, KeyUse::Data | KeyUse::Meta) && is_old(now, *created_at) => {
                    let what = format!("the {used_for} key {key} is older than 365 days");
                    hint(Due::Now, what, format!("key rotate --use {used_for} --org {org}"));
                }
                // Events are never written anew.
                KeyState::DecryptOnly if *used_for == KeyUse::Audit => {}
                KeyState::DecryptOnly if *items == 0 => {
                    let what = format!("nothing is left under the {used_for} key {key}");
                    hint(Due::Now, what, format!("key retire {key} --org {org}"));
                }
                KeyState::DecryptOnly => left += items,
                KeyState::Retired => {
                    let what = format!("the {used_for} key {key} is retired, and needed for old backups at most");
                    hint(Due::Sometime, what, destroying(*id, org));
                }
                KeyState::Primary | KeyState::Destroyed => {}
            }
        }
        if left > 0 {
            let what = format!("reencrypt due, {left} stored items are under keys of before");
            hint(Due::Now, what, format!("key reencrypt --org {org}"));
        }
        hints
    }
}

/// The command that wipes a retired key.
pub(super) fn destroying(key: KeyId, org: &Part) -> String {
    format!("key destroy {} --backups-expired-before DATE --org {org}", short(key))
}

/// Something to do.
pub(in crate::commands) struct Hint {
    pub(in crate::commands) what: String,
    /// The command, behind `secretkit`.
    pub(in crate::commands) command: Option<String>,
    pub(in crate::commands) due: Due,
}

/// When it is to be done.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::commands) enum Due {
    Now,
    /// When it suits, or never.
    Sometime,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.command.as_ref().map_or(Ok(()), |command| write!(f, "; run: secretkit {command}"))
    }
}

/// A data or meta key should not be written with for longer than this.
fn is_old(now: Timestamp, made: Timestamp) -> bool {
    const YEAR: i64 = 365 * 24 * 60 * 60 * 1_000_000;
    now.as_micros().saturating_sub(made.as_micros()) > YEAR
}

/// One key, as JSON.
#[derive(Serialize)]
pub(super) struct KeyObject {
    #[serde(serialize_with = "as_text")]
    id: KeyId,
    #[serde(rename = "use")]
    used_for: KeyUse,
    state: KeyState,
    created_at: Timestamp,
    items: u64,
}

impl KeyObject {
    pub(super) const fn new(info: &KeyInfo, items: u64) -> Self {
        Self { id: info.id, used_for: info.used_for, state: info.state, created_at: info.created_at, items }
    }
}

#[derive(Serialize)]
struct OrgObject<'a> {
    org: &'a Part,
    root_key: &'a str,
    version: Option<u64>,
    rewrap_due: Option<bool>,
    keys: Option<Vec<KeyObject>>,
    hints: &'a [String],
}

impl<'a> OrgObject<'a> {
    fn new(org: &'a Part, root_key: &'a KekId, keyring: Option<&Keyring>, hints: &'a [String]) -> Self {
        Self {
            org,
            root_key: root_key.as_str(),
            version: keyring.map(|keyring| keyring.status.version),
            rewrap_due: keyring.map(|keyring| keyring.rewrap_due),
            keys: keyring
                .map(|keyring| keyring.status.keys.iter().map(|(info, items)| KeyObject::new(info, *items)).collect()),
            hints,
        }
    }
}

/// A line of the table: the root key of an org, or one of its keys. JSON has a form of its own.
#[derive(Serialize)]
struct Line([String; 7]);

fn lines(org: &Part, root_key: &KekId, keyring: Option<&Keyring>, now: Timestamp) -> Vec<Line> {
    let state = match keyring {
        None => "cannot be opened".to_owned(),
        Some(Keyring { status, rewrap_due: false }) => format!("version {}", status.version),
        Some(Keyring { status, rewrap_due: true }) => format!("version {}, rewrap due", status.version),
    };
    let none = String::new;
    let root = Line([org.to_string(), root_key.to_string(), "root".to_owned(), state, none(), none(), none()]);
    let line = |(info, items): &(KeyInfo, u64)| {
        let age = times::ago(now, info.created_at);
        Line([
            org.to_string(),
            info.id.to_string(),
            info.used_for.to_string(),
            info.state.to_string(),
            to_the_second(info.created_at),
            age.strip_suffix(" ago").unwrap_or(&age).to_owned(),
            items.to_string(),
        ])
    };
    std::iter::once(root).chain(keyring.into_iter().flat_map(|keyring| keyring.status.keys.iter().map(line))).collect()
}

impl Row<7> for Line {
    const COLUMNS: [Column; 7] = [
        Column::Text("ORG"),
        Column::Text("KEY"),
        Column::Text("USE"),
        Column::Text("STATE"),
        Column::Date("MADE"),
        Column::Text("AGE"),
        Column::Text("ITEMS"),
    ];

    fn cells(&self) -> [String; 7] {
        self.0.clone()
    }
}
