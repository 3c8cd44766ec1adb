//! `secretkit store copy`.

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use secretkit::{Copied, CopyFinding, CopyProgress, Error, ErrorKind, KeyUrl, Part, Secrets, Settings, StoreUrl};
use serde::Serialize;

use crate::arguments::CopyStore;
use crate::commands::Session;
use crate::commands::key::number_of_secrets;
use crate::commands::orgs::is_erased;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::global;
use crate::passphrase::OfSource;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::visible;

pub(super) fn run(session: &Session, arguments: &CopyStore) -> Result<(), Stop> {
    let (from, to) = settings(session, arguments)?;
    let source = session.existing_of(&from)?;
    let mut orgs = Vec::new();
    for (org, _) in session.orgs(&source)? {
        // Opens its keys, too: where that fails, nothing is made.
        match is_erased(&source.keys().status(&org)?) {
            true => session.console.notice(&format!("org {org} is erased; there is nothing to copy")),
            false => orgs.push(org),
        }
    }
    let target = session.existing_or_new_of(&to)?;
    let mut report = Report { orgs: orgs.len(), ..Report::default() };
    let outcome = orgs.iter().try_for_each(|org| copy(session, &source, &target, org, &mut report));
    report.print(session)?;
    outcome?;
    report.end(session)
}

/// The settings of both stores.
fn settings(session: &Session, arguments: &CopyStore) -> Result<(Settings, Settings), Stop> {
    let CopyStore { from, to, from_key, from_key_file, from_previous_key, from_org_key } = arguments;
    if session.global.store.is_some() {
        let hint = "leave --store out".to_owned();
        return Err(Stop::usage("the stores of a copy are named by --from and --to", hint));
    }
    let mut target = session.settings.clone();
    target.store = Some(store(to)?);
    let mut source = session.settings.clone();
    source.store = Some(store(from)?);
    let given = [from_key, from_key_file].iter().any(|key| key.is_some());
    if given || !from_previous_key.is_empty() || !from_org_key.is_empty() {
        source.key = match (from_key, from_key_file) {
            (Some(_), Some(_)) => {
                return Err(Stop::usage("--from-key and --from-key-file are both given; give one", None));
            }
            (Some(url), None) => Some(text(url, "root key")?.parse()?),
            (None, Some(path)) => Some(KeyUrl::file(path)?),
            (None, None) => source.key,
        };
        let previous = from_previous_key.iter().map(|url| Ok(text(url, "previous root key")?.parse()?));
        source.previous_keys = previous.collect::<Result<_, Stop>>()?;
        let own = from_org_key.iter().map(|key| Ok(KeyUrl::of_org(text(key, "root key of an org")?)?));
        source.org_keys = own.collect::<Result<_, Stop>>()?;
    }
    // An anchor remembers one store: the one that is written to.
    source.anchor = None;
    source.ask = Some(Arc::new(OfSource));
    Ok((source, target))
}

fn store(url: &OsString) -> Result<StoreUrl, Stop> {
    match text(url, "store")?.parse()? {
        StoreUrl::Memory => {
            let why = "memory: lives only inside one process and would be gone with this command; use sqlite:PATH";
            Err(Error::Unsupported(why.to_owned()).into())
        }
        url => Ok(url),
    }
}

fn text<'a>(argument: &'a OsString, field: &'static str) -> Result<&'a str, Stop> {
    Ok(global::text(argument).map_err(|fault| Error::InvalidMetadata { field, fault })?)
}

fn copy(session: &Session, source: &Secrets, target: &Secrets, org: &Part, report: &mut Report) -> Result<(), Stop> {
    let total = number_of_secrets(source, org)?.saturating_mul(2);
    // What is under way is finished before a signal ends it; what was done stays done either way. Held back before the
    // progress begins: its thread is not to take them.
    let signals = Signals::hold_back().map_err(Stop::terminal)?;
    let progress = Progress::start(&session.console, &format!("copying org {org}"), usize::try_from(total).ok());
    let mut last = CopyProgress::default();
    let mut stopped = None;
    for step in target.copy_from(source, org, BATCH) {
        for told in step? {
            match told {
                Copied::Progress(now) => {
                    let steps = (now.checked + now.compared).saturating_sub(last.checked + last.compared);
                    progress.advance(usize::try_from(steps).unwrap_or_default());
                    last = now;
                }
                Copied::Left(finding) => report.left.push(Left::new(org, &finding)),
                _ => {}
            }
        }
        stopped = signals.within(Duration::ZERO).map_err(Stop::terminal)?;
        if stopped.is_some() {
            break;
        }
    }
    drop(progress);
    report.secrets += last.checked;
    report.copied += last.copied;
    report.equal += last.compared;
    match stopped {
        None => Ok(()),
        Some(signal) => {
            session.console.notice("stopped; nothing is lost, and the same command goes on with it");
            Err(Stop::Signalled(signal))
        }
    }
}

/// Secrets in one commit.
const BATCH: usize = 100;

/// What came of it, as JSON.
#[derive(Default, Serialize)]
struct Report {
    orgs: usize,
    secrets: u64,
    copied: u64,
    equal: u64,
    left: Vec<Left>,
}

/// What was not copied.
#[derive(Serialize)]
struct Left {
    org: Part,
    finding: &'static str,
    message: String,
    id: Option<String>,
    address: Option<String>,
}

impl Report {
    fn print(&self, session: &Session) -> Result<(), Stop> {
        let lines = match session.console.format {
            Format::Table => self.left.iter().map(Left::line).collect(),
            Format::Json => serde_json::to_string(self).map_err(|error| Stop::output(error.into()))? + "\n",
        };
        console::standard_output()?.write_all(lines.as_bytes()).map_err(Stop::output)
    }

    /// Says how it ended.
    fn end(&self, session: &Session) -> Result<(), Stop> {
        let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        session.console.notice(&format!(
            "copied {} of {}; {} in both stores",
            counted(self.copied, "secret"),
            counted(self.orgs as u64, "org"),
            match self.equal {
                1 => "1 is equal".to_owned(),
                several => format!("{several} are equal"),
            }
        ));
        let message = match self.left.len() {
            0 => return Ok(()),
            1 => "1 secret was left out, see above".to_owned(),
            several => format!("{several} secrets were left out, see above"),
        };
        let (kind, hint) = match self.left.iter().any(|left| left.finding == "damaged") {
            true => (ErrorKind::Corrupt, "restore what is damaged from a backup; docs/operations.md tells how"),
            false => (ErrorKind::Conflict, "clear what is in the way, and run the same command again"),
        };
        Err(Stop::failed(kind, message, hint.to_owned()))
    }
}

impl Left {
    fn new(org: &Part, found: &CopyFinding) -> Self {
        let (finding, id, address) = match found {
            CopyFinding::Taken { id, address } => ("taken", Some(id), Some(address)),
            CopyFinding::Changed { id, address } => ("changed", Some(id), Some(address)),
            CopyFinding::Deleted { id, address } => ("deleted", Some(id), Some(address)),
            CopyFinding::Moving { id } => ("moving", Some(id), None),
            CopyFinding::Gone { id, address } => ("gone", Some(id), Some(address)),
            CopyFinding::Damaged(_) => ("damaged", None, None),
            _ => ("other", None, None),
        };
        let (id, address) = (id.map(ToString::to_string), address.map(ToString::to_string));
        Self { org: org.clone(), finding, message: found.to_string(), id, address }
    }

    fn line(&self) -> String {
        visible::escaped(&format!("{}: {}", self.org, self.message)).into_owned() + "\n"
    }
}
