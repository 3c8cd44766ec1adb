//! What a store in a PostgreSQL server costs beside bare statements to the same server.

use std::process::Command;

use secretkit::{MetadataEdit, PutMode, Scope, SecretId, SecretRequest, SecretValue, Secrets};
use secretkit_test_postgres::Server;

use crate::Result;
use crate::bare_postgres::{Bare, Connector, Create, Nearest};
use crate::fill::{TASK, address, fill};
use crate::measure::{Batch, by_threads, far_apart, fastest, in_turn, repeat};
use crate::plan::Plan;
use crate::server::{InServer, plain, server};
use crate::table::{Table, Target};
use crate::worker::Worker;

/// As many threads as connections.
pub(super) const THREADS: u32 = 8;

pub(super) const COUNT: u32 = 10_000;

/// Batches of all threads, for each side.
const ROUNDS: usize = 101;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    resolve(plan, table)?;
    many(plan, table)?;
    create(plan, table)?;
    without_functions(plan, table)?;
    scale(plan, table)?;
    askar(plan, table)
}

fn resolve(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, PostgresStore, 8 threads";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (place, secrets) = filled(server)?;
    let (task, ids, requests) = asked()?;
    let (statement, nearest) = (Nearest::statement(), Nearest(ids));
    let bare = Bare::new(&place.database, THREADS as usize, &[&statement])?;
    let mut ours = by_threads(THREADS, |number| {
        let request = &requests[(number as usize * 7_919) % requests.len()];
        std::hint::black_box(secrets.resolve(&task, request)?);
        Ok(())
    });
    let pair = in_turn(ROUNDS, 800, &mut bare.by_threads(THREADS, nearest.clone()), &mut ours)?;
    table.times(OPERATION, "bare prepared select, 8 threads, one pool", pair, Target::Rate(0.85));
    let mut apart = Connector::plain(&place.database, &[&statement]).by_threads(THREADS, nearest.clone())?;
    let pair = in_turn(ROUNDS, 800, &mut apart, &mut ours)?;
    table.times(OPERATION, "bare prepared select, 8 threads, no pool, a runtime each", pair, Target::Rate(0.85));
    let pair = in_turn(ROUNDS, 800, &mut bare.by_tasks(THREADS, nearest), &mut ours)?;
    table.times(OPERATION, "bare prepared select, 8 tasks", pair, Target::Rate(0.85));
    Ok(())
}

fn many(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve 100 names at once, PostgresStore";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (_place, secrets) = filled(server)?;
    hundred(OPERATION, &secrets, table)
}

/// A hundred names at once against one.
pub(super) fn hundred(operation: &str, secrets: &Secrets, table: &mut Table) -> Result<()> {
    let (task, _, requests) = asked()?;
    let requests = &requests;
    let mut next = far_apart(requests);
    let mut baseline = repeat(|| Ok(secrets.resolve(&task, next()?)?));
    let hundred = |first: usize| (0..100).filter_map(move |step| requests.get((first + step * 7_919) % requests.len()));
    let hundreds: Vec<Vec<_>> = (0..100).map(|first| hundred(first).cloned().collect()).collect();
    let mut next = far_apart(&hundreds);
    let mut ours = repeat(|| {
        let found = secrets.resolve_many(&task, next()?)?;
        Ok(found.into_iter().collect::<secretkit::Result<Vec<_>>>()?)
    });
    let pair = fastest(&mut baseline, &mut ours)?;
    table.times(operation, "one", pair, Target::Times(3.0));
    Ok(())
}

fn create(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "create, PostgresStore, 8 threads, one org";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (task, value): (Scope, _) = (TASK.parse()?, SecretValue::copied_from(&[7; 32]));
    for (against, is_asynchronous) in
        [("bare transaction, 8 threads, one pool", false), ("bare transaction, 8 tasks", true)]
    {
        let (theirs, ours) = (InServer::new(server, THREADS)?, InServer::new(server, THREADS)?);
        // A number that is not reached.
        theirs.open().put(&address(&task, 9_999_999)?, &value, PutMode::Create)?;
        let statements = Create::statements();
        let bare = Bare::new(&theirs.database, THREADS as usize, &statements.each_ref().map(String::as_str))?;
        let transaction = Create::like(&theirs.database)?;
        let mut baseline: Box<Batch<'_>> = match is_asynchronous {
            true => Box::new(bare.by_tasks(THREADS, transaction)),
            false => Box::new(bare.by_threads(THREADS, transaction)),
        };
        let secrets = ours.open();
        let mut create = by_threads(THREADS, |number| {
            secrets.put(&address(&task, number)?, &value, PutMode::Create)?;
            Ok(())
        });
        let pair = in_turn(ROUNDS, 160, &mut baseline, &mut create)?;
        table.times(OPERATION, against, pair, Target::Rate(0.7));
    }
    Ok(())
}

fn without_functions(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "create without functions, PostgresStore, one org";
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (task, value): (Scope, _) = (TASK.parse()?, SecretValue::copied_from(&[7; 32]));
    for (threads, against) in [(1, "with a function, one thread"), (THREADS, "with a function, 8 threads")] {
        let places = [InServer::new(server, threads)?, InServer::without_functions(server, threads)?];
        let [mut with, mut without] = places.each_ref().map(|place| {
            let (secrets, task, value) = (place.open(), &task, &value);
            by_threads(threads, move |number| {
                secrets.put(&address(task, number)?, value, PutMode::Create)?;
                Ok(())
            })
        });
        let pair = in_turn(ROUNDS, 160, &mut with, &mut without)?;
        table.times(OPERATION, against, pair, Target::None);
    }
    Ok(())
}

fn scale(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, PostgresStore, 1,000,000 secrets over 1,000 projects";
    const EACH: u32 = 1_000;
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let project = |number: u32| format!("acme/project-{number:04}/production").parse::<Scope>();
    let filled = |projects: u32| -> Result<_> {
        let place = InServer::new(server, 1)?;
        for number in 0..projects {
            fill(&place.store, place.root.clone(), &project(number)?, EACH, 32, &MetadataEdit::default())?;
        }
        place.settle();
        let mut wanted = Vec::new();
        for number in (0..projects.max(50)).map(|number| number % projects) {
            for key in (0..EACH).filter(|key| (key + number) % (projects / 50).max(1) == 0) {
                let name = address(&project(number)?, key)?.name().clone();
                wanted.push((project(number)?, SecretRequest::new(name)));
            }
        }
        Ok((place.open(), wanted, place))
    };
    let ((few, near, _few), (many, far, _many)) = (filled(1)?, filled(1_000)?);
    let (mut near, mut far) = (far_apart(&near), far_apart(&far));
    let mut baseline = repeat(|| near().and_then(|(task, request)| Ok(few.resolve(task, request)?)));
    let mut ours = repeat(|| far().and_then(|(task, request)| Ok(many.resolve(task, request)?)));
    let pair = fastest(&mut baseline, &mut ours)?;
    table.times(OPERATION, "1,000 secrets", pair, Target::Times(1.3));
    Ok(())
}

fn askar(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, PostgresStore, against Askar";
    let Some(peers) = &plan.peers else { return Ok(()) };
    let Some(server) = wanted(OPERATION, plan, table) else { return Ok(()) };
    let (_place, secrets) = filled(server)?;
    let (task, _, requests) = asked()?;
    let mut next = far_apart(&requests);
    let mut ours = repeat(|| Ok(secrets.resolve(&task, next()?)?));
    let theirs = server.database();
    let mut peer = Command::new(peers.join("target/release/peer-askar"));
    let mut worker = Worker::start(peer.arg(plain(&theirs).to_string()))?;
    let mut fetch = |times| worker.measure("fetch", times);
    table.times(OPERATION, "fetch, session held", in_turn(ROUNDS, 800, &mut fetch, &mut ours)?, Target::Times(0.7));
    // Where neither side ever had to wait for a processor.
    table.times(OPERATION, "the same, the fastest batches", fastest(&mut fetch, &mut ours)?, Target::None);
    Ok(())
}

/// The server, if this row is wanted and there is one.
pub(super) fn wanted(operation: &str, plan: &Plan, table: &mut Table) -> Option<&'static Server> {
    if !plan.wants(operation) {
        return None;
    }
    let server = server();
    if server.is_none() {
        table.note(format!("{operation}: needs a PostgreSQL server, and there is none; the reason is above."));
    }
    server
}

/// A store with so many secrets where the task is.
pub(super) fn filled(server: &Server) -> Result<(InServer, Secrets)> {
    let place = InServer::new(server, THREADS)?;
    fill(&place.store, place.root.clone(), &TASK.parse()?, COUNT, 32, &MetadataEdit::default())?;
    place.settle();
    let secrets = place.open();
    Ok((place, secrets))
}

pub(super) fn asked() -> Result<(Scope, Vec<SecretId>, Vec<SecretRequest>)> {
    let task: Scope = TASK.parse()?;
    let ids = (0..COUNT).map(|number| address(&task, number)).collect::<secretkit::Result<Vec<_>>>()?;
    let requests = ids.iter().map(|id| SecretRequest::new(id.name().clone())).collect();
    Ok((task, ids, requests))
}
