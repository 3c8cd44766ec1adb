//! Which secrets a listing shows.

use secretkit::store::Within;
use secretkit::{Activity, Error, Filter, Part, Scope, Search, Secrets, Selection, Timestamp};

use super::super::Session;
use crate::arguments::List;
use crate::failure::Stop;
use crate::metadata;
use crate::table::{Hides, Row};

/// How many secrets are read and printed at a time: a listing of any length takes the same memory.
const PAGE: usize = 500;

/// A listing that was understood, before anything is opened.
pub(super) struct Query {
    place: Place,
    selection: Selection,
}

enum Place {
    /// The secrets that are there.
    Stored(Within),
    /// What a task there would get.
    Effective(Scope),
}

/// The pages of either kind of listing.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Result<Vec<Row>, Error>> + 'a>;

impl Query {
    /// # Errors
    /// `usage` where the options contradict each other, `invalid_metadata` for what cannot be searched for.
    pub(super) fn new(session: &Session, arguments: &List, now: Timestamp) -> Result<Self, Stop> {
        let unused_since = arguments.unused_since.as_ref().map(metadata::span).transpose()?;
        let place = Place::new(session, arguments)?;
        let unused_since = unused_since.map(|span| now.saturating_sub(span));
        Ok(Self { place, selection: Selection { filter: filter(arguments, now)?, unused_since } })
    }

    pub(super) fn pages<'a>(&self, secrets: &'a Secrets) -> Rows<'a> {
        let selection = self.selection.clone();
        match &self.place {
            Place::Stored(within) => {
                let pages = secrets.list(within.clone(), PAGE).filtered(selection);
                Box::new(pages.map(|page| page.map(|infos| infos.into_iter().map(Row::from).collect())))
            }
            Place::Effective(scope) => {
                let pages = secrets.effective(scope, PAGE).filtered(selection);
                Box::new(pages.map(|page| page.map(|found| found.into_iter().map(Row::from).collect())))
            }
        }
    }

    /// Whether its rows tell what they hide.
    pub(super) const fn hides(&self) -> Hides {
        match self.place {
            Place::Effective(_) => Hides::Shown,
            Place::Stored(_) => Hides::Not,
        }
    }

    /// What to say where there is nothing to show.
    pub(super) fn nothing(&self) -> String {
        let place = match &self.place {
            Place::Stored(Within::Org(org)) => format!("in org {org}"),
            Place::Stored(Within::Exactly(scope)) => format!("in {scope}"),
            Place::Stored(Within::Project { org, project }) => format!("in {org}/{project} and its domains"),
            Place::Stored(Within::Along(scope)) | Place::Effective(scope) => format!("for a task at {scope}"),
        };
        if self.selection == Selection::default() {
            format!("there are no secrets {place}")
        } else {
            format!("there are no such secrets {place}")
        }
    }
}

impl Place {
    fn new(session: &Session, arguments: &List) -> Result<Self, Stop> {
        let (scope, global) = (&session.scope, &session.global);
        if arguments.all && global.names_project_or_domain() {
            let hint = "give it without --scope, --workspace, --project and --domain; --org goes with it".to_owned();
            return Err(Stop::usage("--all is everywhere in the org, and a scope in it is named too", hint));
        }
        if arguments.effective {
            return Ok(Self::Effective(scope.clone()));
        }
        if arguments.within {
            return project(scope).map(|(org, project)| Self::Stored(Within::Project { org, project }));
        }
        let exactly = global.names_whole_scope() || scope.project().is_some() || scope.domain().is_some();
        Ok(Self::Stored(if exactly && !arguments.all {
            Within::Exactly(scope.clone())
        } else {
            Within::Org(scope.org().clone())
        }))
    }
}

fn project(scope: &Scope) -> Result<(Part, Part), Stop> {
    let hint = "give --project PROJECT, or --scope ORG/PROJECT".to_owned();
    match (scope.project(), scope.domain()) {
        (Some(project), None) => Ok((scope.org().clone(), project.clone())),
        (Some(_), Some(_)) => Err(Stop::usage("--within is a project with all its domains, and one is named", hint)),
        (None, _) => Err(Stop::usage("--within is a project with all its domains, and no project is named", hint)),
    }
}

fn filter(arguments: &List, now: Timestamp) -> Result<Filter, Stop> {
    let mut filter = Filter::default();
    if let Some(text) = &arguments.search {
        filter.search = Some(Search::parse(metadata::plain("search text", text)?)?);
    }
    filter.tags = metadata::tags(&arguments.tags)?.iter().map(Box::from).collect();
    let until = match &arguments.expiring {
        Some(text) => Some(now.checked_add(metadata::span(text)?).unwrap_or(Timestamp::from_micros(i64::MAX))),
        None => arguments.expired.then_some(now),
    };
    // What expires now has expired.
    let from = if arguments.expired { i64::MIN } else { now.as_micros().saturating_add(1) };
    filter.expires = until.map(|until| Timestamp::from_micros(from)..=until);
    filter.activity = match (arguments.active, arguments.inactive) {
        (true, _) => Some(Activity::Active),
        (_, true) => Some(Activity::Inactive),
        _ => None,
    };
    Ok(filter)
}
