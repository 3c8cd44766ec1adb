//! Reading secrets: one statement for each want.

use std::sync::LazyLock;

use rusqlite::{Connection, Statement};
use secretkit_core::store::{Fetched, History, Listed, Superseded, Target, Want, or_empty};
use secretkit_core::{Part, Result, Revision, Scope, SecretName, SecretRecord};

use crate::error::Named;
use crate::place::Place;
use crate::rows::{self, ID_OF_HEAD, head_columns};
use crate::walk::Wanted;

/// All wants from one snapshot. A single statement is a snapshot of its own and needs no transaction around it.
pub(crate) fn wants(connection: &mut Connection, place: &Place, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
    match wants {
        [Want { target, revision: None }] => {
            Ok(vec![current(connection, place, target)?.map(|record| Fetched { record, superseded: None })])
        }
        _ => {
            let snapshot = connection.transaction().at(place)?;
            match ids(wants) {
                Some((org, wanted)) => by_ids(&snapshot, place, org, &wanted, wants.len()),
                None => wants.iter().map(|want| fetch(&snapshot, place, want)).collect(),
            }
        }
    }
}

/// The org and the ids, where that is all that is asked for.
fn ids(wants: &[Want]) -> Option<(&Part, Wanted)> {
    let org = wants.first()?.target.org();
    let id = |want: &Want| match want {
        Want { target: Target::Id(of, id), revision: None } if of == org => Some(*id),
        _ => None,
    };
    let ids: Vec<_> = wants.iter().map(id).collect::<Option<_>>()?;
    Some((org, Wanted::of(ids.into_iter())))
}

fn by_ids(
    connection: &Connection,
    place: &Place,
    org: &Part,
    wanted: &Wanted,
    count: usize,
) -> Result<Vec<Option<Fetched>>> {
    let mut statement = connection.prepare_cached(FROM_ID).at(place)?;
    let mut found = vec![None; count];
    let mut before = None;
    wanted.find((&mut statement, ID_OF_HEAD), place, |_, at, row| {
        if rows::is_of(row, org) {
            let before = before.replace(at).and_then(|at| found.get(at)?.as_ref());
            let record = rows::of(row).next_secret(org, before.map(|fetched: &Fetched| &fetched.record.head))?;
            found[at] = Some(Fetched { record, superseded: None });
        }
        Ok(())
    })?;
    Ok(found)
}

fn fetch(connection: &Connection, place: &Place, want: &Want) -> Result<Option<Fetched>> {
    let Want { target, revision } = want;
    let Some(record) = current(connection, place, target)? else { return Ok(None) };
    let superseded = match revision {
        Some(revision) => superseded(connection, place, &record, *revision)?,
        None => None,
    };
    Ok(Some(Fetched { record, superseded }))
}

fn current(connection: &Connection, place: &Place, target: &Target) -> Result<Option<SecretRecord>> {
    let mut statement;
    match target {
        Target::Exact(id) => {
            statement = connection.prepare_cached(EXACT).at(place)?;
            bind_name(&mut statement, id.org(), id.name()).at(place)?;
            statement.raw_bind_parameter(4, or_empty(id.scope().project())).at(place)?;
            statement.raw_bind_parameter(5, or_empty(id.scope().domain())).at(place)?;
        }
        Target::Nearest(scope, name) => {
            let (project, domain) = (scope.project(), scope.domain());
            let shape = usize::from(project.is_some()) << 1 | usize::from(domain.is_some());
            statement = connection.prepare_cached(&NEAREST[shape]).at(place)?;
            bind_name(&mut statement, scope.org(), name).at(place)?;
            if let Some(project) = project {
                statement.raw_bind_parameter(4, project.as_str()).at(place)?;
            }
            if let Some(domain) = domain {
                statement.raw_bind_parameter(5, domain.as_str()).at(place)?;
            }
        }
        Target::Id(org, id) => {
            statement = connection.prepare_cached(BY_ID).at(place)?;
            statement.raw_bind_parameter(1, org.as_str()).at(place)?;
            statement.raw_bind_parameter(2, id.as_bytes()).at(place)?;
        }
    }
    let mut rows = statement.raw_query();
    rows.next().at(place)?.map(|row| rows::of(row).secret(target)).transpose()
}

fn bind_name(statement: &mut Statement<'_>, org: &Part, name: &SecretName) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, org.as_str())?;
    statement.raw_bind_parameter(2, or_empty(name.group()))?;
    statement.raw_bind_parameter(3, name.key().as_str())
}

fn superseded(
    connection: &Connection,
    place: &Place,
    record: &SecretRecord,
    revision: Revision,
) -> Result<Option<Superseded>> {
    let mut statement = connection.prepare_cached(SUPERSEDED).at(place)?;
    let number = revision.number().cast_signed();
    let mut rows = statement.query((record.head.id.as_bytes(), number)).at(place)?;
    rows.next().at(place)?.map(|row| rows::of(row).superseded(&record.head)).transpose()
}

/// A secret and its superseded values, from one snapshot.
pub(crate) fn history(connection: &mut Connection, place: &Place, target: &Target) -> Result<Option<History>> {
    let snapshot = connection.transaction().at(place)?;
    let Some(SecretRecord { head, mac, sealed }) = current(&snapshot, place, target)? else { return Ok(None) };
    let mut statement = snapshot.prepare_cached(HISTORY).at(place)?;
    let mut rows = statement.query([head.id.as_bytes()]).at(place)?;
    let mut superseded = Vec::new();
    while let Some(row) = rows.next().at(place)? {
        superseded.push(rows::of(row).listed_revision(&head)?);
    }
    Ok(Some(History { current: Listed { head, mac, commitment: sealed.commitment() }, superseded }))
}

/// Whether there is neither a keyring nor a secret.
pub(crate) fn is_empty(connection: &Connection, place: &Place) -> Result<bool> {
    const ANY: &str = "SELECT EXISTS (SELECT 1 FROM keyring) OR EXISTS (SELECT 1 FROM secrets)";
    connection.query_row(ANY, (), |row| row.get::<_, bool>(0)).map(|any| !any).at(place)
}

const EXACT: &str = concat!(
    "SELECT ",
    head_columns!(),
    ", record FROM secrets WHERE org = ?1 AND grp = ?2 AND key = ?3 AND project = ?4 AND domain = ?5"
);

const BY_ID: &str = concat!("SELECT ", head_columns!(), ", record FROM secrets WHERE id = ?2 AND org = ?1");

const FROM_ID: &str = concat!("SELECT ", head_columns!(), ", record FROM secrets WHERE id >= ?1 ORDER BY id");

const HISTORY: &str = "SELECT secret_id, revision, value_at, value_by, digest, mac, substr(record, 69, 32) \
                       FROM revisions WHERE secret_id = ?1 ORDER BY revision";

const SUPERSEDED: &str = "SELECT secret_id, revision, value_at, value_by, digest, mac, record FROM revisions \
                          WHERE secret_id = ?1 AND revision = ?2";

/// The statements for a scope without project and domain, with a domain, with a project, and with both.
///
/// Each looks for the candidates in the order of [`Scope::chain`], from which it is made, and stops at the first:
/// `coalesce` asks no further. Which row that is, the unique index tells alone.
static NEAREST: LazyLock<[String; 4]> =
    LazyLock::new(|| [(false, false), (false, true), (true, false), (true, true)].map(nearest));

fn nearest((project, domain): (bool, bool)) -> String {
    let candidates: Vec<_> = sample(project, domain)
        .iter()
        .flat_map(Scope::chain)
        .map(|scope| {
            let project = if scope.project().is_some() { "?4" } else { "''" };
            let domain = if scope.domain().is_some() { "?5" } else { "''" };
            format!("org = ?1 AND grp = ?2 AND key = ?3 AND project = {project} AND domain = {domain}")
        })
        .collect();
    let columns = concat!("SELECT ", head_columns!(), ", record FROM secrets WHERE ");
    match candidates.as_slice() {
        [only] => format!("{columns}{only}"),
        several => {
            let rowids: Vec<_> =
                several.iter().map(|candidate| format!("(SELECT rowid FROM secrets WHERE {candidate})")).collect();
            format!("{columns}rowid = coalesce({})", rowids.join(", "))
        }
    }
}

/// Any scope that has these parts.
fn sample(project: bool, domain: bool) -> Option<Scope> {
    Scope::from_parts("o", project.then_some("p"), domain.then_some("d")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connections::Connections, events, keyring, list, schema, usage};

    #[test]
    fn every_statement_searches_an_index_and_sorts_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::existing(&directory.path().join("secrets.db")).unwrap();
        schema::create(&place).unwrap();
        let connections = Connections::open(place).unwrap();
        let mut statements: Vec<String> = NEAREST.to_vec();
        statements.extend([EXACT, BY_ID, FROM_ID, SUPERSEDED, HISTORY, keyring::OF].map(str::to_owned));
        statements.extend([usage::CONSUMERS, usage::USES, usage::ORGS, usage::TOUCH].map(str::to_owned));
        statements
            .extend([events::LANES, events::LANE, events::AFTER, events::OUTCOME, events::IDS].map(str::to_owned));
        statements.extend(list::STATEMENTS.as_flattened().iter().map(ToString::to_string));
        for statement in statements {
            let plan: Vec<String> = connections
                .read(|connection| {
                    let explain = format!("EXPLAIN QUERY PLAN {statement}");
                    let mut explain = connection.prepare(&explain).at(connections.place())?;
                    let mut rows = explain.raw_query();
                    let mut plan = Vec::new();
                    while let Some(row) = rows.next().at(connections.place())? {
                        plan.push(row.get(3).at(connections.place())?);
                    }
                    Ok(plan)
                })
                .unwrap();
            assert!(!plan.is_empty());
            assert!(
                plan.iter().all(|step| step.starts_with("SEARCH") || step.starts_with("SCALAR")),
                "{statement}: {plan:?}"
            );
            // A listing continues in the middle of the index, and does not skip to it.
            let pages = statement.contains("ORDER BY grp");
            assert!(!pages || plan[0].contains("(org=? AND (grp,key,project,domain)>(?,?,?,?))"), "{plan:?}");
        }
    }
}
