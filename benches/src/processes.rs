//! What a whole process takes: memory after opening a store, and the time of a command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Outcome, data, measure};

pub(crate) fn rows() -> Outcome {
    let (empty, million) = (data::file_with(0)?, data::file_with(1_000_000)?);
    let (empty_kib, million_kib) = (resident(&empty)?, resident(&million)?);
    let more = (million_kib - empty_kib) / 1024.0;
    measure::print_row("resident memory, 1,000,000 secrets", "after opening an empty store, + MB", more, 10.0, "MB");
    reveal()?;
    import()
}

/// Opens a store and prints what the kernel says this process holds, in KiB.
pub(crate) fn print_resident(store: &str, key: &str) -> Outcome {
    let secrets = secretkit::open(store, key)?;
    secrets.store().info()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    println!("{}", line.split_whitespace().nth(1).ok_or("no number")?);
    Ok(())
}

fn resident(filled: &data::Filled) -> Outcome<f64> {
    let (store, key) = (format!("sqlite:{}", filled.store.display()), format!("file:{}", filled.key.display()));
    let output = Command::new(std::env::current_exe()?).args(["resident", &store, &key]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn reveal() -> Outcome {
    let filled = data::file_with(1_000)?;
    let id = data::id(1)?;
    let command = std::env::current_exe()?.with_file_name("secretkit");
    let mut reveal = Command::new(command);
    reveal
        .args(["reveal", &id.name().to_string(), "--scope", &id.scope().to_string()])
        .args(["--store", &format!("sqlite:{}", filled.store.display())])
        .args(["--key", &format!("file:{}", filled.key.display())]);
    let more = least(&mut reveal)? - least(&mut Command::new("true"))?;
    measure::print_row("secretkit reveal, whole process", "true, whole process, + ms", more, 5.0, "ms");
    Ok(())
}

fn import() -> Outcome {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/tasks.py");
    let run = |code: &str| {
        let mut command = Command::new(&python);
        command.args(["-I", "-c", code]);
        command
    };
    let more = least(&mut run("import secretkit"))? - least(&mut run("pass"))?;
    measure::print_row("import secretkit", "a bare interpreter start, + ms", more, 20.0, "ms");
    // What runs inside the interpreter is timed there.
    let status = Command::new(&python).arg(script).status()?;
    if status.success() { Ok(()) } else { Err("the Python rows ended early".into()) }
}

/// The least of many runs, in milliseconds.
fn least(command: &mut Command) -> Outcome<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..40 {
        let started = Instant::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("{command:?} ended with {status}").into());
        }
        least = least.min(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(least)
}
