//! Whole processes, from start to end.

use std::path::Path;
use std::process::{Command, Stdio};

use secretkit::Scope;

use crate::Result;
use crate::fill::{TASK, address};
use crate::measure::{repeat, typical};
use crate::plan::Plan;
use crate::stores::OnDisk;
use crate::table::{Table, Target};

const ROUNDS: usize = 200;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    reveal(plan, table)?;
    import(plan, table)
}

fn reveal(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "secretkit reveal, whole process";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let Some(command) = &plan.command else {
        table.note(format!("{OPERATION}: needs --command, which benches/run gives."));
        return Ok(());
    };
    let place = OnDisk::kept(1_000)?;
    let name = address(&TASK.parse::<Scope>()?, 500)?.name().to_string();
    let ours = || {
        let mut reveal = Command::new(command);
        reveal.args(["reveal", &name, "--scope", TASK]);
        reveal.arg("--store").arg(format!("sqlite:{}", place.store.display())).arg("--key-file").arg(&place.key);
        reveal
    };
    let pair = typical(ROUNDS, &mut repeat(|| finish(&mut Command::new("true"))), &mut repeat(|| finish(&mut ours())))?;
    table.times(OPERATION, "true", pair, Target::MoreMillis(5.0));
    Ok(())
}

fn import(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "import secretkit";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let Some(python) = &plan.python else {
        table.note(format!("{OPERATION}: needs --python, which benches/run gives."));
        return Ok(());
    };
    let pair = typical(
        ROUNDS,
        &mut repeat(|| finish(&mut interpreter(python, "pass"))),
        &mut repeat(|| finish(&mut interpreter(python, "import secretkit"))),
    )?;
    table.times(OPERATION, "bare interpreter", pair, Target::MoreMillis(20.0));
    Ok(())
}

fn interpreter(python: &Path, code: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", code]);
    command
}

fn finish(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}
