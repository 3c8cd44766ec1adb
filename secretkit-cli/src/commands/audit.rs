//! `secretkit audit`.

use std::collections::HashMap;
use std::io::{BufWriter, Write};

use secretkit::store::Lane;
use secretkit::{
    Action, Clock, Consumer, ErrorKind, Event, Generation, Part, Revision, Scope, SecretId, SecretName, Secrets,
    StableId, Subject, SystemClock, Timestamp,
};
use serde::Serialize;

use super::orgs::{Failures, is_erased};
use super::{Session, secret_name};
use crate::arguments::Audit;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::metadata;
use crate::rows::{self, Column, Row};
use crate::times::to_the_second;

pub(super) fn run(session: &Session, arguments: &Audit) -> Result<(), Stop> {
    let wanted = Wanted::new(session, arguments)?;
    let secrets = session.existing()?;
    let mut events = Vec::new();
    let (mut broken, mut failures) = (None, Failures::default());
    for (org, _) in session.orgs_of(&secrets, session.settings.org.as_ref())? {
        let of_org = unless_erased(session, &secrets, &org, &wanted, &mut events);
        if let Some(why) = failures.pass(session, &format_args!("org {org}"), of_org)?.flatten() {
            broken.get_or_insert(why);
        }
    }
    // Lanes are read one after the other; their times put them beside each other.
    events.sort_by_key(|(_, event): &(Part, Event)| (event.at, event.lane, event.seq));
    let objects: Vec<_> = events.iter().map(|(org, event)| EventObject::new(org, event)).collect();
    match session.console.format {
        Format::Table => rows::print(&session.console, &objects)?,
        Format::Json => {
            let mut output = BufWriter::new(console::standard_output()?);
            for object in &objects {
                serde_json::to_writer(&mut output, object)
                    .map_err(std::io::Error::from)
                    .and_then(|()| output.write_all(b"\n"))
                    .map_err(Stop::output)?;
            }
            output.flush().map_err(Stop::output)?;
        }
    }
    failures.end()?;
    match broken {
        None => Ok(()),
        Some(why) => {
            let hint = "what is shown was checked and holds; `secretkit verify` tells all that is wrong".to_owned();
            Err(Stop::failed(ErrorKind::Corrupt, why, hint))
        }
    }
}

/// Which events.
struct Wanted {
    since: Option<Timestamp>,
    name: Option<SecretName>,
    scope: Option<Scope>,
}

impl Wanted {
    fn new(session: &Session, arguments: &Audit) -> Result<Self, Stop> {
        let now = SystemClock.now();
        let since = arguments.since.as_ref().map(metadata::span).transpose()?.map(|span| now.saturating_sub(span));
        let name = arguments.name.as_ref().map(secret_name).transpose()?;
        let scope = (session.scope.project().is_some() || session.scope.domain().is_some())
            .then(|| session.scope.clone())
            .filter(|_| session.global.names_project_or_domain());
        Ok(Self { since, name, scope })
    }

    fn takes(&self, event: &Event) -> bool {
        let of_secret = |wanted: &dyn Fn(&SecretId) -> bool| match &event.subject {
            Subject::Secret { address, .. } => wanted(address),
            _ => false,
        };
        self.since.is_none_or(|since| event.at >= since)
            && self.name.as_ref().is_none_or(|name| of_secret(&|address| address.name() == name))
            && self.scope.as_ref().is_none_or(|scope| of_secret(&|address| address.scope() == scope))
    }
}

fn unless_erased(
    session: &Session,
    secrets: &Secrets,
    org: &Part,
    wanted: &Wanted,
    events: &mut Vec<(Part, Event)>,
) -> Result<Option<String>, Stop> {
    if is_erased(&secrets.keys().status(org)?) {
        session.console.notice(&format!("org {org} is erased, and its events with it"));
        return Ok(None);
    }
    read(secrets, org, wanted, events)
}

/// Adds an org's events. Returns what is wrong with their chain.
fn read(
    secrets: &Secrets,
    org: &Part,
    wanted: &Wanted,
    events: &mut Vec<(Part, Event)>,
) -> Result<Option<String>, Stop> {
    // Read first: a lane can only be longer by the time its events are read.
    let ends = secrets.store().lanes(org)?;
    let mut last: HashMap<Lane, u64> = HashMap::new();
    let mut broken = None;
    for event in secrets.events(org) {
        match event {
            Ok(event) => {
                last.insert(event.lane, event.seq);
                if wanted.takes(&event) {
                    events.push((org.clone(), event));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnknownKey) => {
                broken.get_or_insert_with(|| format!("the chain of events of org {org} is broken: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let cut = ends.iter().find(|(lane, end)| last.get(lane).copied().unwrap_or_default() < end.seq);
    Ok(broken.or_else(|| {
        cut.map(|(lane, _)| {
            format!("the chain of events of org {org} is broken: lane {lane} does not end where it should")
        })
    }))
}

/// An event, as JSON.
#[derive(Serialize)]
struct EventObject<'a> {
    at: Timestamp,
    by: &'a str,
    action: Action,
    org: &'a Part,
    address: Option<String>,
    id: Option<StableId>,
    generation: Option<Generation>,
    revision: Option<Revision>,
    consumer: Option<&'a Consumer>,
    keyring_version: Option<u64>,
    lane: Lane,
    seq: u64,
}

impl<'a> EventObject<'a> {
    fn new(org: &'a Part, event: &'a Event) -> Self {
        let object = Self {
            at: event.at,
            by: event.by.as_str(),
            action: event.action,
            org,
            address: None,
            id: None,
            generation: None,
            revision: None,
            consumer: None,
            keyring_version: None,
            lane: event.lane,
            seq: event.seq,
        };
        match &event.subject {
            Subject::Secret { id, address, generation, revision, consumer, .. } => Self {
                address: Some(address.to_string()),
                id: Some(*id),
                generation: Some(*generation),
                revision: Some(*revision),
                consumer: consumer.as_ref(),
                ..object
            },
            Subject::Keyring { version } => Self { keyring_version: Some(*version), ..object },
            _ => object,
        }
    }
}

impl Row<6> for EventObject<'_> {
    const COLUMNS: [Column; 6] = [
        Column::Date("TIME"),
        Column::Text("ACTION"),
        Column::Text("WHAT"),
        Column::Text("GENERATION"),
        Column::Text("REVISION"),
        Column::Text("BY"),
    ];

    fn cells(&self) -> [String; 6] {
        let number = |number: Option<String>| number.unwrap_or_default();
        let what = match (&self.address, self.consumer, self.keyring_version) {
            (Some(address), Some(consumer), _) => format!("{address} for {consumer}"),
            (Some(address), None, _) => address.clone(),
            (None, _, Some(version)) => format!("keyring of {}, version {version}", self.org),
            (None, _, None) => self.org.to_string(),
        };
        [
            to_the_second(self.at),
            self.action.to_string(),
            what,
            number(self.generation.map(|number| number.to_string())),
            number(self.revision.map(|number| number.to_string())),
            self.by.to_owned(),
        ]
    }
}
