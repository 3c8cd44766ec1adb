//! Statements of the tests themselves, by PostgreSQL's own client.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::address::Address;

/// Runs statements, each for itself, and returns the rows, one a line, with `|` between columns.
pub(crate) fn run(psql: &Path, address: &Address, statements: &str) -> String {
    attempt(psql, address, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
}

/// The same; an error is what the client said.
pub(crate) fn attempt(psql: &Path, address: &Address, statements: &str) -> Result<String, String> {
    let mut command = Command::new(psql);
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--dbname"]);
    command.arg(address.to_string());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    // Nothing of the person who runs the tests: no password file, no certificate, no service.
    command.env("HOME", "/nonexistent");
    command.env("PGCONNECT_TIMEOUT", "10").env("PGAPPNAME", "test").env("PGCLIENTENCODING", "UTF8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().map_err(|error| format!("{}: {error}", psql.display()))?;
    // It may refuse to connect and go before it reads.
    let _ = client.stdin.take().map(|mut input| input.write_all(statements.as_bytes()));
    let output = client.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}
