//! Reading secrets: one statement, and so one round trip and one snapshot, whatever is wanted.

use secretkit_core::store::{Fetched, History, Listed, Query as Page, Target, Want, Within, or_empty};
use secretkit_core::{Error, Part, Result, Scope, SecretName};
use tokio_postgres::Row;

use crate::error::Failure;
use crate::rows;
use crate::session::{Asking, Bound};
use crate::statements::{Query, Statements};

/// An answer for each want, in their order.
pub(crate) async fn wants(
    session: &Asking,
    statements: &Statements,
    wants: &[Want],
) -> Result<Vec<Option<Fetched>>, Failure> {
    match wants {
        [] => Ok(Vec::new()),
        [Want { target, revision: None }] => {
            let rows = one(session, statements, target).await?;
            let record = rows.first().map(|row| rows::of(row).secret(target)).transpose()?;
            Ok(vec![record.map(|record| Fetched { record, superseded: None })])
        }
        _ if wants.iter().all(|want| want.revision.is_none() && !matches!(want.target, Target::Id(..))) => {
            many(session, statements, wants).await
        }
        _ => any(session, statements, wants).await,
    }
}

async fn one(session: &Asking, statements: &Statements, target: &Target) -> Result<Vec<Row>, Failure> {
    match Address::of(target) {
        Some(address) => {
            let Address { org, group, key, project, or_project, domain, or_domain } = address;
            let [org, group, key] = [org, group, key].map(Bound);
            let [project, or_project, domain, or_domain] = [project, or_project, domain, or_domain].map(Bound);
            session
                .query(statements, Query::One, &[&org, &group, &key, &project, &or_project, &domain, &or_domain])
                .await
        }
        None => by_id(session, statements, Query::ById, target).await,
    }
}

async fn by_id(session: &Asking, statements: &Statements, query: Query, target: &Target) -> Result<Vec<Row>, Failure> {
    let Target::Id(org, id) = target else { return Ok(Vec::new()) };
    session.query(statements, query, &[&Bound(org.as_str()), &Bound(id.as_bytes().as_slice())]).await
}

/// Wants by address.
async fn many(session: &Asking, statements: &Statements, wants: &[Want]) -> Result<Vec<Option<Fetched>>, Failure> {
    let addresses = Addresses::of(wants);
    let scope = addresses.scope();
    let Addresses { places, wanted: _, texts: [org, group, key, project, or_project, domain, or_domain] } = addresses;
    let [group, key] = [group, key].map(Bound);
    let rows = match scope {
        Some(scope) => {
            let [org, project, or_project, domain, or_domain] = scope.map(Bound);
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
                [&Bound(places), &group, &key, &org, &project, &or_project, &domain, &or_domain];
            session.query(statements, Query::Names, &parameters).await?
        }
        None => {
            let [org, project, or_project, domain, or_domain] =
                [org, project, or_project, domain, or_domain].map(Bound);
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
                [&Bound(places), &org, &group, &key, &project, &or_project, &domain, &or_domain];
            session.query(statements, Query::Many, &parameters).await?
        }
    };
    answers(wants, &rows, |_, record| Ok(Fetched { record, superseded: None }))
}

/// Wants of every kind.
async fn any(session: &Asking, statements: &Statements, wants: &[Want]) -> Result<Vec<Option<Fetched>>, Failure> {
    let Addresses { places, wanted, texts: [org, group, key, project, or_project, domain, or_domain] } =
        Addresses::of(wants);
    let (mut id_places, mut id_wanted, mut orgs, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, want) in (0..).zip(wants) {
        if let Target::Id(org, id) = &want.target {
            id_places.push(place);
            id_wanted.push(want.revision.map(|revision| revision.number().cast_signed()));
            orgs.push(org.as_str());
            ids.push(id.as_bytes().as_slice());
        }
    }
    let [org, group, key] = [org, group, key].map(Bound);
    let [project, or_project, domain, or_domain] = [project, or_project, domain, or_domain].map(Bound);
    let rows = session
        .query(
            statements,
            Query::Any,
            &[
                &Bound(places),
                &Bound(wanted),
                &org,
                &group,
                &key,
                &project,
                &or_project,
                &domain,
                &or_domain,
                &Bound::<Vec<i32>>(id_places),
                &Bound(id_wanted),
                &Bound(orgs),
                &Bound(ids),
            ],
        )
        .await?;
    answers(wants, &rows, |row, record| {
        let kept = row.try_get::<_, Option<&[u8]>>(REVISION).is_ok_and(|id| id.is_some());
        let superseded = kept.then(|| rows::after(row, REVISION).superseded(&record.head)).transpose()?;
        Ok(Fetched { record, superseded })
    })
}

fn answers(
    wants: &[Want],
    rows: &[Row],
    read: impl Fn(&Row, secretkit_core::SecretRecord) -> Result<Fetched>,
) -> Result<Vec<Option<Fetched>>, Failure> {
    let mut answers: Vec<Option<Fetched>> = wants.iter().map(|_| None).collect();
    for row in rows {
        let place = rows::place(row, PLACE).ok_or_else(out_of_place)?;
        let (Some(want), Some(answer)) = (wants.get(place), answers.get_mut(place)) else {
            return Err(out_of_place().into());
        };
        *answer = Some(read(row, rows::of(row).secret(&want.target)?)?);
    }
    Ok(answers)
}

/// A secret and its superseded values, from one snapshot.
pub(crate) async fn history(
    session: &Asking,
    statements: &Statements,
    target: &Target,
) -> Result<Option<History>, Failure> {
    let rows = match Address::of(target) {
        Some(address) => {
            let Address { org, group, key, project, or_project, domain, or_domain } = address;
            let [org, group, key] = [org, group, key].map(Bound);
            let [project, or_project, domain, or_domain] = [project, or_project, domain, or_domain].map(Bound);
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
                [&org, &group, &key, &project, &or_project, &domain, &or_domain];
            session.query(statements, Query::History, &parameters).await?
        }
        None => by_id(session, statements, Query::HistoryById, target).await?,
    };
    let Some(first) = rows.first() else { return Ok(None) };
    let current = rows::of(first).listed(target.org(), None)?;
    let kept = |row: &&Row| row.try_get::<_, Option<&[u8]>>(LISTED_REVISION).is_ok_and(|id| id.is_some());
    let superseded =
        rows.iter().filter(kept).map(|row| rows::after(row, LISTED_REVISION).listed_revision(&current.head));
    let superseded = superseded.collect::<Result<_>>()?;
    Ok(Some(History { current, superseded }))
}

/// A page of a listing.
pub(crate) async fn page(session: &Asking, statements: &Statements, page: &Page) -> Result<Vec<Listed>, Failure> {
    let Page { within, filter, after, limit } = page;
    let org = within.org();
    let mut listed = Vec::new();
    // Four empty texts stand before every address. A row that has them is nobody's, and must not be passed over.
    let mut last = after.clone();
    // What does not match is left out here. Where much is left out, more is read at once.
    let mut chunk = *limit;
    loop {
        let from = match &last {
            Some(id) => [
                or_empty(id.name().group()),
                id.name().key().as_str(),
                or_empty(id.scope().project()),
                or_empty(id.scope().domain()),
            ],
            None => [""; 4],
        };
        let rows = rows_of_page(session, statements, within, org, from, last.is_some(), chunk).await?;
        for row in &rows {
            let row = rows::of(row).listed(org, listed.last().map(|row: &Listed| &row.head))?;
            last = Some(row.head.address.clone());
            if filter.matches(&row.head) {
                listed.push(row);
            }
            if listed.len() >= *limit {
                return Ok(listed);
            }
        }
        if rows.len() < chunk {
            return Ok(listed);
        }
        chunk = chunk.saturating_mul(4).clamp(1, MOST_AT_ONCE.max(*limit));
    }
}

async fn rows_of_page(
    session: &Asking,
    statements: &Statements,
    within: &Within,
    org: &Part,
    from: [&str; 4],
    continues: bool,
    chunk: usize,
) -> Result<Vec<Row>, Failure> {
    let (first, next, more) = match within {
        Within::Org(_) => (Query::Everywhere, Query::EverywhereAfter, Vec::new()),
        Within::Exactly(scope) => (Query::Exactly, Query::ExactlyAfter, parts(scope)),
        Within::Project { project, .. } => (Query::Project, Query::ProjectAfter, vec![Bound(project.as_str())]),
        Within::Along(scope) => (Query::Along, Query::AlongAfter, parts(scope)),
    };
    let query = if continues { next } else { first };
    let (org, from, chunk) = (Bound(org.as_str()), from.map(Bound), Bound(i64::try_from(chunk).unwrap_or(i64::MAX)));
    let [group, key, project, domain] = &from;
    let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        vec![&org, group, key, project, domain, &chunk];
    parameters.extend(more.iter().map(|part| part as &(dyn tokio_postgres::types::ToSql + Sync)));
    session.query(statements, query, &parameters).await
}

fn parts(scope: &Scope) -> Vec<Bound<&str>> {
    vec![Bound(or_empty(scope.project())), Bound(or_empty(scope.domain()))]
}

/// Up to four addresses that differ in the project and the domain alone.
struct Address<'a> {
    org: &'a str,
    group: &'a str,
    key: &'a str,
    project: &'a str,
    or_project: &'a str,
    domain: &'a str,
    or_domain: &'a str,
}

impl<'a> Address<'a> {
    fn of(target: &'a Target) -> Option<Self> {
        match target {
            Target::Exact(id) => Some(Self::at(id.scope(), id.name(), false)),
            Target::Nearest(scope, name) => Some(Self::at(scope, name, true)),
            Target::Id(..) => None,
        }
    }

    fn at(scope: &'a Scope, name: &'a SecretName, or_above: bool) -> Self {
        let (project, domain) = (or_empty(scope.project()), or_empty(scope.domain()));
        Self {
            org: scope.org().as_str(),
            group: or_empty(name.group()),
            key: name.key().as_str(),
            project,
            or_project: if or_above { "" } else { project },
            domain,
            or_domain: if or_above { "" } else { domain },
        }
    }
}

/// The wants that are by address, column by column.
struct Addresses<'a> {
    places: Vec<i32>,
    wanted: Vec<Option<i64>>,
    texts: [Vec<&'a str>; 7],
}

impl<'a> Addresses<'a> {
    fn of(wants: &'a [Want]) -> Self {
        let mut addresses = Self { places: Vec::new(), wanted: Vec::new(), texts: Default::default() };
        for (place, want) in (0..).zip(wants) {
            let Some(address) = Address::of(&want.target) else { continue };
            let Address { org, group, key, project, or_project, domain, or_domain } = address;
            addresses.places.push(place);
            addresses.wanted.push(want.revision.map(|revision| revision.number().cast_signed()));
            let texts = [org, group, key, project, or_project, domain, or_domain];
            addresses.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        }
        addresses
    }

    /// The org, the projects and the domains, where they are those of all.
    fn scope(&self) -> Option<[&'a str; 5]> {
        let [org, _, _, project, or_project, domain, or_domain] = &self.texts;
        let mut scope = [""; 5];
        for (column, one) in [org, project, or_project, domain, or_domain].into_iter().zip(&mut scope) {
            *one = column.first()?;
            if column.iter().any(|text| text != one) {
                return None;
            }
        }
        Some(scope)
    }
}

fn out_of_place() -> Error {
    Error::Corrupt { what: "an answer of the store".to_owned() }
}

/// Behind the columns of the head and the record.
const PLACE: usize = 23;

/// Behind that.
const REVISION: usize = 24;

/// Behind the columns of the head and the commitment.
const LISTED_REVISION: usize = 23;

/// However few match.
const MOST_AT_ONCE: usize = 2_000;
