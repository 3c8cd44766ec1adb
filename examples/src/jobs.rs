//! A small job runner: each job names the secrets it needs and gets them, and nothing else, as variables and files.

use std::path::Path;
use std::process::{Command, ExitStatus};

use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::{Error, Result, Scope, SecretRequest, Secrets};

/// A command line, and the secrets that it needs.
#[derive(Debug)]
pub struct Job {
    /// What `sh -c` runs.
    pub script: &'static str,
    /// What it asks for.
    pub requests: Vec<SecretRequest>,
}

/// Runs a job at a scope. Its secrets are fetched once, put into the child's environment and files, and the files are
/// gone when this returns, however the job ended.
///
/// # Errors
/// What secretkit says of the requests, with every missing one named; then nothing was started.
pub fn run(secrets: &Secrets, scope: &Scope, job: &Job) -> Result<ExitStatus> {
    let delivery = Delivery::prepare(secrets, scope, &job.requests, &DeliveryOptions::default())?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", job.script]).env_clear();
    delivery.environment().apply_to(&mut shell);
    let status = shell.status().map_err(|source| Error::file(Path::new("/bin/sh"), source))?;
    delivery.close()?;
    Ok(status)
}
