//! Against what others offer for the same work. `benches/peers/build` builds and installs them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use secretkit::{Access, RootKey, Scope, SecretId, SecretRequest, Secrets, SqliteStore};

use super::python;
use crate::Result;
use crate::fill::{TASK, address};
use crate::measure::{far_apart, repeat, usual};
use crate::plan::Plan;
use crate::stores::OnDisk;
use crate::table::{Table, Target};
use crate::worker::Worker;

const COUNT: u32 = 10_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    let Some(peers) = &plan.peers else { return Ok(()) };
    askar(plan, peers, table)?;
    sqlcipher(plan, peers, table)?;
    flytekit(plan, peers, table)?;
    askar_wheel(plan, peers, table)
}

fn askar(plan: &Plan, peers: &Path, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "resolve, against Askar";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (secrets, _) = OnDisk::kept(COUNT)?.open()?;
    let task: Scope = TASK.parse()?;
    let requests: Vec<_> = ids(&task)?.iter().map(|id| SecretRequest::new(id.name().clone())).collect();
    let mut next = far_apart(&requests);
    let mut ours = repeat(|| Ok(secrets.resolve(&task, next()?)?));
    let mut worker = Worker::start(&mut Command::new(peers.join("target/release/peer-askar")))?;
    let pair = usual(&mut |times| worker.measure("fetch", times), &mut ours)?;
    table.times(OPERATION, "fetch, session held", pair, Target::Times(0.15));
    Ok(())
}

fn sqlcipher(plan: &Plan, peers: &Path, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "open + get of 10,000, against SQLCipher";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let place = OnDisk::kept(COUNT)?;
    // As the peer does it: the key is at hand, and everything else begins anew each time.
    let root = Arc::new(RootKey::from_file(&place.key)?);
    let ids = ids(&TASK.parse()?)?;
    let mut next = far_apart(&ids);
    let mut ours = repeat(|| {
        let store = Arc::new(SqliteStore::open(&place.store)?);
        let secrets = Secrets::new(store, root.clone(), Access::Unrestricted);
        Ok(secrets.get(next()?)?)
    });
    let mut worker = Worker::start(&mut Command::new(peers.join("target/release/peer-sqlcipher")))?;
    let pair = usual(&mut |times| worker.measure("open-and-get", times), &mut ours)?;
    table.times(OPERATION, "open + select", pair, Target::Times(3.0));
    Ok(())
}

fn flytekit(plan: &Plan, peers: &Path, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "Python get, against flytekit";
    against_python(plan, peers, table, OPERATION, ("flytekit_env.py", "get"), ("from a variable", "second-get"), 0.3)
}

fn askar_wheel(plan: &Plan, peers: &Path, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "Python task + get, against Askar's wheel";
    let ours = ("fetch, session held", "enter-and-get");
    against_python(plan, peers, table, OPERATION, ("askar_wheel.py", "fetch"), ours, 0.15)
}

fn against_python(
    plan: &Plan,
    peers: &Path,
    table: &mut Table,
    operation: &str,
    (script, theirs): (&str, &str),
    (what, ours): (&str, &str),
    at_most: f64,
) -> Result<()> {
    if !plan.wants(operation) {
        return Ok(());
    }
    let Some(python) = &plan.python else {
        table.note(format!("{operation}: needs --python, which benches/run gives."));
        return Ok(());
    };
    let mut peer = Worker::start(
        Command::new(peers.join(".venv/bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/python").join(script)),
    )?;
    let mut worker = python::start(python)?;
    let pair = usual(&mut |times| peer.measure(theirs, times), &mut |times| worker.measure(ours, times))?;
    table.times(operation, what, pair, Target::Times(at_most));
    Ok(())
}

fn ids(scope: &Scope) -> Result<Vec<SecretId>> {
    Ok((0..COUNT).map(|number| address(scope, number)).collect::<secretkit::Result<_>>()?)
}
