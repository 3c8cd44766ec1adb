//! Resolving from SQLite against one exact select with nothing around it.

use rusqlite::Statement;
use secretkit::store::{Target as Which, Want, or_empty};
use secretkit::{Scope, SecretId, SecretRecord, SecretRequest, Secrets};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::fill::{ORG, TASK, address, org};
use crate::measure::{far_apart, fastest, repeat};
use crate::plan::Plan;
use crate::stores::{COLUMNS, EXACT, OnDisk, read_rows};
use crate::table::{Table, Target};

const COUNT: u32 = 10_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    let rows = [
        ("resolve, SqliteStore, first scope", TASK, Target::Times(1.3)),
        ("resolve, SqliteStore, fourth scope", ORG, Target::Times(2.5)),
    ];
    if !rows.iter().any(|(operation, ..)| plan.wants(operation)) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let place = OnDisk::filled(folder.path(), COUNT, &[TASK, ORG])?;
    let (secrets, root) = place.open()?;
    let keys = Keys::of(secrets.store(), &org()?, &*root)?;
    let task: Scope = TASK.parse()?;
    let bare = place.bare()?;
    let mut select = bare.prepare(&format!("SELECT {COLUMNS} FROM secrets WHERE {EXACT}"))?;

    for (operation, scope, target) in rows {
        if !plan.wants(operation) {
            continue;
        }
        let scope = scope.parse()?;
        let ids = (0..COUNT).map(|number| address(&scope, number)).collect::<secretkit::Result<Vec<_>>>()?;
        let requests: Vec<_> = ids.iter().map(|id| SecretRequest::new(id.name().clone())).collect();
        let records = records(&secrets, &ids)?;

        let mut next = far_apart(&records);
        let mut baseline = repeat(|| {
            let record = next()?;
            read_row(&mut select, &record.head.address)?;
            Ok(keys.check_and_open(record)?)
        });
        let mut next = far_apart(&requests);
        let mut ours = repeat(|| Ok(secrets.resolve(&task, next()?)?));
        table.times(operation, "select + head check + open", fastest(&mut baseline, &mut ours)?, target);
    }
    Ok(())
}

fn records(secrets: &Secrets, ids: &[SecretId]) -> Result<Vec<SecretRecord>> {
    let wants: Vec<_> = ids.iter().map(|id| Want { target: Which::Exact(id.clone()), revision: None }).collect();
    let found: Option<Vec<_>> = secrets.store().fetch(&wants)?.into_iter().collect();
    Ok(found.ok_or("the store has lost a secret")?.into_iter().map(|fetched| fetched.record).collect())
}

fn read_row(select: &mut Statement<'_>, id: &SecretId) -> Result<()> {
    let (scope, name) = (id.scope(), id.name());
    let (project, domain, group) = (or_empty(scope.project()), or_empty(scope.domain()), or_empty(name.group()));
    read_rows(select, [scope.org().as_str(), project, domain, group, name.key().as_str()], 1)
}
