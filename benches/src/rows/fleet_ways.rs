//! What it costs to resolve from a PostgreSQL server by other ways than the shortest: with TLS, from afar, and as somebody
//! who is not the store's owner.

use std::time::Duration;

use secretkit::{Secrets, StoreRole, StoreUrl};

use super::fleet::{asked, filled, hundred, wanted};
use crate::bare_postgres::{Connector, Nearest};
use crate::fill::org;
use crate::measure::{far_apart, fastest, repeat};
use crate::plan::Plan;
use crate::server::plain;
use crate::table::{Table, Target};
use crate::{Result, distance};

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    alone(plan, table)?;
    encrypted(plan, table)?;
    far(plan, table)?;
    granted(plan, table)
}

fn alone(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, PostgresStore, one thread";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (place, secrets) = filled(server)?;
    let baseline = Connector::plain(&place.database, &[&Nearest::statement()]);
    one(OPERATION, "bare prepared select", &baseline, &secrets, table)
}

fn encrypted(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, PostgresStore, one thread, TLS";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (place, _) = filled(server)?;
    let baseline = Connector::with_tls(&place.database, &[&Nearest::statement()], &server.authority())?;
    let secrets = place.by(&place.database.address())?;
    one(OPERATION, "bare prepared select, TLS", &baseline, &secrets, table)
}

fn one(operation: &str, against: &str, baseline: &Connector, secrets: &Secrets, table: &mut Table) -> Result<()> {
    let (task, ids, requests) = asked()?;
    let mut baseline = baseline.by_threads(1, Nearest(ids))?;
    let mut next = far_apart(&requests);
    let mut ours = repeat(|| Ok(secrets.resolve(&task, next()?)?));
    let pair = fastest(&mut baseline, &mut ours)?;
    table.times(operation, against, pair, Target::None);
    Ok(())
}

/// A hundred names where the way there and back takes so long.
fn far(plan: &Plan, table: &mut Table) -> Result<()> {
    for (operation, there_and_back) in [
        ("resolve 100 names at once, PostgresStore, half a millisecond away", 500),
        ("resolve 100 names at once, PostgresStore, a millisecond away", 1_000),
    ] {
        let Some(server) = wanted(operation, plan, table) else { continue };
        let (place, _) = filled(server)?;
        let port = distance::to(server.port(), Duration::from_micros(there_and_back / 2))?;
        let secrets = place.by(&plain(&place.database).port(port))?;
        hundred(operation, &secrets, table)?;
    }
    Ok(())
}

/// The server compares the org of each row with those of whoever asks.
fn granted(plan: &Plan, table: &mut Table) -> Result<()> {
    const ORGS: u32 = 500;
    const OPERATION: &str = "resolve, PostgresStore, by a reader of 500 orgs";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (place, owner) = filled(server)?;
    let login = place.database.role();
    place.database.sql(&format!("ALTER ROLE {} CREATEROLE;", place.database.name()));
    let url: StoreUrl = plain(&place.database).to_string().parse()?;
    url.grant(login.user_name(), StoreRole::Reader, &org()?, Some(place.database.name()))?;
    place.database.sql(&format!(
        "INSERT INTO secretkit.logins SELECT '{}', 'org-' || number FROM generate_series(2, {ORGS}) AS number; ANALYZE;",
        login.user_name()
    ));
    let reader = place.by(&login.with("sslmode", "disable").without("sslrootcert"))?;
    let (task, _, requests) = asked()?;
    let (mut theirs, mut ours) = (far_apart(&requests), far_apart(&requests));
    let mut baseline = repeat(|| Ok(owner.resolve(&task, theirs()?)?));
    let mut ours = repeat(|| Ok(reader.resolve(&task, ours()?)?));
    let pair = fastest(&mut baseline, &mut ours)?;
    table.times(OPERATION, "by the owner", pair, Target::None);
    Ok(())
}
