//! `secretkit run`.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct Run {
    /// Set a variable to the value; without =VAR it is called like the key
    #[arg(short, long, value_name = "NAME[=VAR]")]
    pub(crate) env: Vec<OsString>,
    /// Put the value into a file, and the file's path into VAR
    #[arg(short, long, value_name = "NAME=VAR")]
    pub(crate) file: Vec<OsString>,
    /// Run a Python task instead of a command; needs the Python package
    #[arg(long, value_name = "FILE:FUNCTION", conflicts_with_all = ["env", "file"])]
    pub(crate) task: Option<OsString>,
    /// The command and its arguments; with --task, the task's
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "task")]
    pub(crate) command: Vec<OsString>,
}

pub(super) const USAGE: &str = "secretkit run [--env NAME[=VAR]]... [--file NAME=VAR]... -- COMMAND...
       secretkit run --task FILE:FUNCTION [-- ARGS...]";

pub(super) const EXAMPLES: &str = "\
Each secret is looked for as a task at this scope would get it. Only the command
gets the variables. Its exit code is that of run; 125 says that run itself
failed, 126 that the command cannot be executed, 127 that there is no such one.

Examples:
  secretkit run --env API_KEY -- ./deploy
  secretkit run --env db/password=PGPASSWORD -p etl -d production -- psql
  secretkit run --file tls.key=TLS_KEY -- sh -c 'serve --key \"$TLS_KEY\"'
  secretkit run --task pipeline.py:load --project etl --domain production";
