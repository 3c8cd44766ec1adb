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
    child(plan, table)?;
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

fn child(plan: &Plan, table: &mut Table) -> Result<()> {
    const IN_VARIABLES: &str = "secretkit run, 5 secrets in variables";
    const IN_FILES: &str = "secretkit run, 5 secrets in files";
    let Some(command) = &plan.command else {
        if plan.wants(IN_VARIABLES) || plan.wants(IN_FILES) {
            table.note(format!("{IN_VARIABLES}: needs --command, which benches/run gives."));
        }
        return Ok(());
    };
    let place = OnDisk::kept(1_000)?;
    let scope: Scope = TASK.parse()?;
    let names: Vec<String> =
        (500..505).map(|number| Ok(address(&scope, number)?.name().to_string())).collect::<Result<_>>()?;
    // The child directly, with the same environment: what is to be had without secretkit.
    let baseline = || {
        let mut child = Command::new("true");
        child.envs((0..names.len()).map(|number| (format!("SECRET_{number}"), "x".repeat(32))));
        child
    };
    for (operation, option) in [(IN_VARIABLES, "--env"), (IN_FILES, "--file")] {
        if !plan.wants(operation) {
            continue;
        }
        let ours = || {
            let mut run = Command::new(command);
            run.args(["run", "--scope", TASK]);
            run.arg("--store").arg(format!("sqlite:{}", place.store.display())).arg("--key-file").arg(&place.key);
            for (number, name) in names.iter().enumerate() {
                run.arg(option).arg(format!("{name}=SECRET_{number}"));
            }
            run.args(["--", "true"]);
            run
        };
        let pair = typical(ROUNDS, &mut repeat(|| finish(&mut baseline())), &mut repeat(|| finish(&mut ours())))?;
        table.times(operation, "spawning true", pair, Target::MoreMillis(5.0));
    }
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
