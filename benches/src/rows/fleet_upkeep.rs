//! What goes over all secrets of an org in a PostgreSQL server, against the same in a file: whether anything there asks
//! the server once for each secret.

use secretkit::seal::KeyUse;
use secretkit::store::Within;
use secretkit::{SecretValue, Secrets, Verified};
use secretkit_test_postgres::{Proxy, Server};

use super::fleet::{COUNT, filled, wanted};
use crate::Result;
use crate::fill::{TASK, address, org};
use crate::measure::{in_turn, repeat};
use crate::plan::Plan;
use crate::server::{InServer, plain};
use crate::stores::{BESIDE_THE_BUILDS, OnDisk};
use crate::table::{Table, Target};

const ROUNDS: usize = 5;

/// How many are given a second value at last.
const SUPERSEDED: u32 = 100;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    over("verify of 10,000, PostgresStore", verify, plan, table)?;
    over("list of 10,000 in pages of 500, PostgresStore", list, plan, table)?;
    over("reencrypt of 10,000, PostgresStore", reencrypt, plan, table)
}

/// The same in both stores, and how often ours asks.
fn over(operation: &str, what: fn(&Secrets) -> Result<()>, plan: &Plan, table: &mut Table) -> Result<()> {
    let Some(server) = wanted(operation, plan, table) else { return Ok(()) };
    let (place, secrets) = filled(server)?;
    let folder = tempfile::tempdir_in(BESIDE_THE_BUILDS)?;
    let (file, _) = OnDisk::filled(&folder.path().join("file"), COUNT, &[TASK])?.open()?;
    let pair = in_turn(ROUNDS, 1, &mut repeat(|| what(&file)), &mut repeat(|| what(&secrets)))?;
    table.times(operation, "SqliteStore", pair, Target::None);
    let before = trips(server, &place, what)?;
    for number in 0..SUPERSEDED {
        secrets.update(&address(&TASK.parse()?, number)?, &SecretValue::copied_from(b"another"))?;
    }
    let after = trips(server, &place, what)?;
    table.note(format!("{operation}: {before} round trips, and {after} once {SUPERSEDED} keep a superseded value."));
    Ok(())
}

fn trips(server: &Server, place: &InServer, what: fn(&Secrets) -> Result<()>) -> Result<u64> {
    let proxy = Proxy::to(server.port());
    let secrets = place.by(&plain(&place.database).port(proxy.port()))?;
    what(&secrets)?;
    Ok(proxy.round_trips())
}

fn verify(secrets: &Secrets) -> Result<()> {
    for step in secrets.verify(&org()?) {
        for told in step? {
            if let Verified::Wrong(finding) = told {
                return Err(finding.to_string().into());
            }
        }
    }
    Ok(())
}

fn list(secrets: &Secrets) -> Result<()> {
    let mut listed = 0;
    for page in secrets.list(Within::Org(org()?), 500) {
        listed += page?.len();
    }
    if listed == COUNT as usize { Ok(()) } else { Err(format!("{listed} were listed").into()) }
}

fn reencrypt(secrets: &Secrets) -> Result<()> {
    let added = secrets.keys().add(&org()?, KeyUse::Data)?;
    secrets.keys().promote(&org()?, added.id)?;
    let mut rewritten = 0;
    for progress in secrets.keys().reencrypt(&org()?, 100) {
        rewritten = progress?.rewritten;
    }
    if rewritten == u64::from(COUNT) { Ok(()) } else { Err(format!("{rewritten} were written").into()) }
}
