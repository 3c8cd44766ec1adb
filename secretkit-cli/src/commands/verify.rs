//! `secretkit verify`.

use std::io::{BufWriter, Write};

use secretkit::{
    Error, ErrorKind, Finding, Generation, Part, SecretId, Secrets, SqliteStore, StableId, StoreUrl, Verified,
    VerifyProgress,
};
use serde::Serialize;

use super::Session;
use super::key::number_of_secrets;
use super::orgs::{Failures, is_erased};
use crate::console::{self, Format};
use crate::failure::{Failure, Stop};
use crate::json::as_text;
use crate::progress::Progress;
use crate::visible;

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let secrets = session.existing()?;
    let mut report = Report::begin(session)?;
    let outcome = check(session, &secrets, &mut report);
    let wrong = report.end()?;
    let (seen, failures) = match outcome {
        Err(Stop::Failed(failure)) if wrong > 0 => {
            session.console.warning(&failure.message);
            Default::default()
        }
        outcome => outcome?,
    };
    if wrong == 0 {
        failures.end()?;
        session.console.notice(&format!("nothing is wrong with {}", seen.in_words()));
        return Ok(());
    }
    // What is wrong decides how this ends, whatever could not be looked at beside it.
    failures.warn(session);
    let message = match wrong {
        1 => "1 thing is wrong with the store, see above".to_owned(),
        several => format!("{several} things are wrong with the store, see above"),
    };
    let hint = "restore what is damaged from a backup; docs/operations.md tells how".to_owned();
    Err(Stop::failed(ErrorKind::Corrupt, message, hint))
}

#[derive(Default)]
struct Seen {
    orgs: u64,
    secrets: u64,
    events: u64,
}

impl Seen {
    fn in_words(&self) -> String {
        let counted = |count, one, several| format!("{count} {}", if count == 1 { one } else { several });
        format!(
            "{}, {} and {}",
            counted(self.orgs, "org", "orgs"),
            counted(self.secrets, "secret", "secrets"),
            counted(self.events, "event", "events")
        )
    }
}

fn check(session: &Session, secrets: &Secrets, report: &mut Report<'_>) -> Result<(Seen, Failures), Stop> {
    let (mut seen, mut failures) = (Seen::default(), Failures::default());
    failures.pass(session, &"the file", check_file(session, report))?;
    for org in session.orgs_to_verify(secrets)? {
        let org = match org {
            Ok(org) => org,
            Err(nameless) => {
                report.tell(&FindingObject::damaged(None, nameless.to_string()))?;
                continue;
            }
        };
        match check_org(session, secrets, &org, report, &mut seen) {
            // As where its keyring is: no more can be said of it.
            Err(Stop::Failed(Failure { kind: ErrorKind::Corrupt, message, .. })) => {
                report.tell(&FindingObject::damaged(Some(&org), message))?;
            }
            of_org => {
                let checked = failures.pass(session, &format_args!("org {org}"), of_org)?;
                seen.orgs += u64::from(checked.is_some());
            }
        }
    }
    Ok((seen, failures))
}

fn check_file(session: &Session, report: &mut Report<'_>) -> Result<(), Stop> {
    let StoreUrl::Sqlite(path) = session.settings.store_url()? else { return Ok(()) };
    let found = SqliteStore::open(&path)?.examine()?;
    found.into_iter().try_for_each(|what| report.tell(&FindingObject::of_file(what)))
}

fn check_org(
    session: &Session,
    secrets: &Secrets,
    org: &Part,
    report: &mut Report<'_>,
    seen: &mut Seen,
) -> Result<(), Stop> {
    match secrets.keys().status(org) {
        Ok(status) if is_erased(&status) => {
            session.console.notice(&format!("org {org} is erased; there is nothing to check"));
            return Ok(());
        }
        // A row that makes no sense is for the verification to name.
        Ok(_) | Err(Error::Corrupt { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let progress = Progress::start(&session.console, &format!("verifying org {org}"), expected(secrets, org));
    let (mut last, mut findings, mut outcome) = (VerifyProgress::default(), Vec::new(), Ok(()));
    for step in secrets.verify(org) {
        match step {
            Ok(told) => told.into_iter().for_each(|told| match told {
                Verified::Progress(now) => {
                    let steps = (now.events + now.secrets).saturating_sub(last.events + last.secrets);
                    progress.advance(usize::try_from(steps).unwrap_or_default());
                    last = now;
                }
                Verified::Wrong(finding) => findings.push(finding),
                _ => {}
            }),
            Err(error) => outcome = Err(error),
        }
    }
    // Not before: they would be printed into the line that tells of the progress.
    drop(progress);
    findings.iter().try_for_each(|finding| report.tell(&FindingObject::new(org, finding)))?;
    seen.secrets += last.secrets;
    seen.events += last.events;
    Ok(outcome?)
}

/// How many steps it will take; `None` where that cannot be told.
fn expected(secrets: &Secrets, org: &Part) -> Option<usize> {
    let events: u64 = secrets.store().lanes(org).ok()?.iter().map(|(_, head)| head.seq).sum();
    let total = number_of_secrets(secrets, org).ok()?.saturating_add(events);
    usize::try_from(total).ok()
}

/// What is found, on standard output as it comes.
struct Report<'a> {
    session: &'a Session,
    output: BufWriter<std::fs::File>,
    count: u64,
}

impl<'a> Report<'a> {
    fn begin(session: &'a Session) -> Result<Self, Stop> {
        Ok(Self { session, output: BufWriter::new(console::standard_output()?), count: 0 })
    }

    fn tell(&mut self, finding: &FindingObject<'_>) -> Result<(), Stop> {
        let line = match self.session.console.format {
            Format::Table => visible::escaped(&finding.line()).into_owned() + "\n",
            Format::Json => {
                let separator = if self.count == 0 { "[\n" } else { ",\n" };
                separator.to_owned() + &serde_json::to_string(finding).map_err(|error| Stop::output(error.into()))?
            }
        };
        self.count += 1;
        self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush()).map_err(Stop::output)
    }

    /// Closes the array, and says how much was told.
    fn end(mut self) -> Result<u64, Stop> {
        let end = match (self.session.console.format, self.count) {
            (Format::Table, _) => "",
            (Format::Json, 0) => "[]\n",
            (Format::Json, _) => "\n]\n",
        };
        self.output.write_all(end.as_bytes()).and_then(|()| self.output.flush()).map_err(Stop::output)?;
        Ok(self.count)
    }
}

/// What is wrong, as JSON.
#[derive(Serialize)]
struct FindingObject<'a> {
    org: Option<&'a Part>,
    finding: &'static str,
    message: String,
    id: Option<StableId>,
    #[serde(serialize_with = "as_optional_text")]
    address: Option<&'a SecretId>,
    found: Option<Generation>,
    recorded: Option<Generation>,
}

impl<'a> FindingObject<'a> {
    const fn of_file(message: String) -> Self {
        Self { org: None, finding: "file", message, id: None, address: None, found: None, recorded: None }
    }

    /// What is told of an org as a whole; without one, of a row that names none.
    fn damaged(org: Option<&'a Part>, message: String) -> Self {
        Self { org, finding: "damaged", ..Self::of_file(message) }
    }

    fn new(org: &'a Part, finding: &'a Finding) -> Self {
        let object = Self { org: Some(org), finding: "other", ..Self::of_file(finding.to_string()) };
        match finding {
            Finding::Damaged(_) => Self { finding: "damaged", ..object },
            Finding::OldKeyring { .. } => Self { finding: "old-keyring", ..object },
            Finding::BrokenChain { .. } => Self { finding: "broken-chain", ..object },
            Finding::Vanished { id, address } => {
                Self { finding: "vanished", id: Some(*id), address: Some(address), ..object }
            }
            Finding::CameBack { id, address } => {
                Self { finding: "came-back", id: Some(*id), address: Some(address), ..object }
            }
            Finding::OutOfStep { id, address, found, recorded } => Self {
                finding: "out-of-step",
                id: Some(*id),
                address: Some(address),
                found: Some(*found),
                recorded: Some(*recorded),
                ..object
            },
            Finding::Forked { id, address } => {
                Self { finding: "forked", id: Some(*id), address: Some(address), ..object }
            }
            _ => object,
        }
    }

    fn line(&self) -> String {
        match self.org {
            Some(org) => format!("{org}: {}", self.message),
            None if self.finding == "file" => format!("file: {}", self.message),
            None => format!("store: {}", self.message),
        }
    }
}

fn as_optional_text<S: serde::Serializer>(address: &Option<&SecretId>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => as_text(address, serializer),
        None => serializer.serialize_none(),
    }
}
