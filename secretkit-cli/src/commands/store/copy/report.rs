//! What came of a copy.

use std::io::Write;

use secretkit::{CopyFinding, CopyProgress, ErrorKind, Part};
use serde::Serialize;

use crate::commands::Session;
use crate::console::{self, Format};
use crate::failure::{Failure, Stop};
use crate::visible;

/// What came of it, as JSON.
#[derive(Default, Serialize)]
pub(super) struct Report {
    orgs: usize,
    secrets: u64,
    copied: u64,
    equal: u64,
    left: Vec<Left>,
    /// Of the first org that failed.
    #[serde(skip)]
    failure: Option<Failure>,
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
    /// An org was copied, or it was begun with it.
    pub(super) fn count(&mut self, progress: CopyProgress) {
        self.orgs += 1;
        self.secrets += progress.checked;
        self.copied += progress.copied;
        self.equal += progress.compared;
    }

    pub(super) fn found(&mut self, org: &Part, found: &CopyFinding) {
        self.left.push(Left::new(org, found));
    }

    /// What is destroyed in one store is whole in the other.
    pub(super) fn erased(&mut self, org: &Part) {
        let message =
            "erased: its keys are destroyed in the store of --from; what was copied of it before is still there";
        self.left.push(Left::of_org(org, "erased", message.to_owned()));
    }

    pub(super) fn failed(&mut self, org: &Part, failure: Failure) {
        let Failure { kind, message, hint } = failure;
        self.left.push(Left::of_org(org, "failed", format!("failed: {message}")));
        let message = format!("org {org}: {message}");
        self.failure.get_or_insert(Failure { kind, message, hint });
    }

    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    pub(super) fn print(&self, session: &Session) -> Result<(), Stop> {
        let lines = match session.console.format {
            Format::Table => self.left.iter().map(Left::line).collect(),
            Format::Json => serde_json::to_string(self).map_err(|error| Stop::output(error.into()))? + "\n",
        };
        console::standard_output()?.write_all(lines.as_bytes()).map_err(Stop::output)
    }

    /// Says how it ended.
    pub(super) fn end(mut self, session: &Session) -> Result<(), Stop> {
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
        if let Some(failure) = self.take_failure() {
            return Err(Stop::Failed(failure));
        }
        let message = match self.left.len() {
            0 => return Ok(()),
            1 => "1 difference is left between the stores, see above".to_owned(),
            several => format!("{several} differences are left between the stores, see above"),
        };
        let has = |finding| self.left.iter().any(|left| left.finding == finding);
        let (kind, hint) = match has("damaged") {
            true => (ErrorKind::Corrupt, "restore what is damaged from a backup; docs/operations.md tells how"),
            false if has("gone") => (ErrorKind::Conflict, GONE),
            false if has("too_large") => (ErrorKind::Conflict, TOO_LARGE),
            false => (ErrorKind::Conflict, "clear what is in the way, and run the same command again"),
        };
        Err(Stop::failed(kind, message, hint.to_owned()))
    }
}

const GONE: &str = "a copy deletes nothing: what is gone from the store of --from is deleted from that of --to with \
    `secretkit delete --id ID`; then run the same command again";

const TOO_LARGE: &str = "prune its values of before, or give the server more time, as by ?statement_timeout=5min in the URL \
    of --to; then run the same command again";

impl Left {
    fn new(org: &Part, found: &CopyFinding) -> Self {
        let (finding, id, address) = match found {
            CopyFinding::Taken { id, address } => ("taken", Some(id), Some(address)),
            CopyFinding::Changed { id, address } => ("changed", Some(id), Some(address)),
            CopyFinding::Deleted { id, address } => ("deleted", Some(id), Some(address)),
            CopyFinding::Moving { id } => ("moving", Some(id), None),
            CopyFinding::Gone { id, address } => ("gone", Some(id), Some(address)),
            CopyFinding::TooLarge { id, address, .. } => ("too_large", Some(id), Some(address)),
            CopyFinding::Damaged(_) => ("damaged", None, None),
            _ => ("other", None, None),
        };
        let (id, address) = (id.map(ToString::to_string), address.map(ToString::to_string));
        Self { org: org.clone(), finding, message: found.to_string(), id, address }
    }

    fn of_org(org: &Part, finding: &'static str, message: String) -> Self {
        Self { org: org.clone(), finding, message, id: None, address: None }
    }

    fn line(&self) -> String {
        visible::escaped(&format!("{}: {}", self.org, self.message)).into_owned() + "\n"
    }
}
