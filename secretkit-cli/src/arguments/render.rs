//! A template that is filled.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct Render {
    /// The template; - is standard input
    #[arg(value_name = "TEMPLATE")]
    pub(crate) template: OsString,
    /// Write it here, for its owner alone, in place of what is there
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<OsString>,
    /// Show <SECRET:NAME> in the place of each value, and open none
    #[arg(long)]
    pub(crate) dry_run: bool,
}

pub(super) const EXAMPLES: &str = "\
{{ secret.NAME }} prints a secret, and so does {{ .secret.NAME }}; one of a
group is {{ secret.GROUP.NAME }}. Each is looked for as a task at this scope
would get it.

Examples:
  secretkit render app.conf.template --to app.conf
  secretkit render app.conf.template --project etl --domain production
  secretkit render app.conf.template --dry-run
  echo 'password={{ secret.db.password }}' | secretkit render -";
