//! `secretkit history` and `secretkit prune`.

use secretkit::{Digest, ErrorKind, Revision, RevisionInfo, SecretInfo, Timestamp};
use serde::Serialize;

use super::Session;
use crate::arguments::{History, Prune};
use crate::failure::Stop;
use crate::json::as_text;
use crate::metadata;
use crate::rows::{self, Column, Row};
use crate::terminal;
use crate::times::to_the_second;

pub(super) fn run(session: &Session, arguments: &History) -> Result<(), Stop> {
    let secret = session.reference(arguments.name.or_id(&arguments.id)?);
    let revisions = session.existing()?.history(secret)?;
    let current = revisions.iter().map(|info| info.revision).max();
    let values: Vec<_> = revisions.iter().map(|info| Value::new(info, current)).collect();
    rows::print(&session.console, &values)
}

/// Like a delete it asks first: what goes does not come back.
pub(super) fn prune(session: &Session, arguments: &Prune) -> Result<(), Stop> {
    let secret = session.reference(arguments.name.or_id(&arguments.id)?);
    let keep = metadata::number(&arguments.keep)?;
    let agreed = session.global.agreed()?;
    if !agreed && !terminal::is_there() {
        let hint = "give --yes to destroy values without being asked".to_owned();
        return Err(Stop::usage("prune asks first, and there is no terminal to ask at", hint));
    }
    let secrets = session.existing()?;
    let before = secrets.info(secret)?;
    let goes = superseded(&before).saturating_sub(keep.into());
    if goes == 0 {
        let values = counted(superseded(&before));
        session.console.notice(&format!("nothing to prune: {} keeps {values}", before.address));
        return session.print_object(&before);
    }
    if !agreed {
        let question = format!("Destroy {} of {}, all but the last {keep}? [y/N] ", counted(goes), before.address);
        if !terminal::confirm(&question)? {
            return Err(Stop::failed(ErrorKind::Other, "not pruned: the answer was not yes", None));
        }
    }
    // By its id: what was made at this address since the question was asked is another secret.
    let after = secrets.prune((before.address.org(), before.id), keep)?;
    let gone = after.first_revision.number().saturating_sub(before.first_revision.number());
    session.console.notice(&format!("destroyed {} of {}", counted(gone), after.address));
    session.print_object(&after)
}

fn superseded(info: &SecretInfo) -> u64 {
    info.revision.number().saturating_sub(info.first_revision.number())
}

fn counted(values: u64) -> String {
    match values {
        0 => "no superseded value".to_owned(),
        1 => "1 superseded value".to_owned(),
        several => format!("{several} superseded values"),
    }
}

/// One of a secret's values, as it is printed.
#[derive(Serialize)]
struct Value<'a> {
    revision: Revision,
    #[serde(serialize_with = "as_text")]
    digest: Digest,
    value_at: Timestamp,
    value_by: &'a str,
    current: bool,
}

impl<'a> Value<'a> {
    fn new(info: &'a RevisionInfo, current: Option<Revision>) -> Self {
        Self {
            revision: info.revision,
            digest: info.digest,
            value_at: info.valued.at,
            value_by: info.valued.by.as_str(),
            current: current == Some(info.revision),
        }
    }
}

impl Row<4> for Value<'_> {
    const COLUMNS: [Column; 4] =
        [Column::Text("REVISION"), Column::Digest("DIGEST"), Column::Date("SET"), Column::Text("BY")];

    fn cells(&self) -> [String; 4] {
        let mark = if self.current { " (current)" } else { "" };
        let revision = format!("{}{mark}", self.revision);
        [revision, self.digest.to_string(), to_the_second(self.value_at), self.value_by.to_owned()]
    }
}
