//! `secretkit list`, and `ls`.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct List {
    /// Everywhere in the org, whatever project and domain the variables name
    #[arg(long, conflicts_with_all = ["within", "effective"])]
    pub(crate) all: bool,
    /// In the project and all its domains
    #[arg(long, conflicts_with = "effective")]
    pub(crate) within: bool,
    /// What a task at this scope would get, and what that hides
    #[arg(long)]
    pub(crate) effective: bool,
    /// Where this text is in the name, description or a tag; in either case
    #[arg(long, value_name = "TEXT", help_heading = WHICH)]
    pub(crate) search: Option<OsString>,
    /// With this tag; may be repeated, and then with each of them
    #[arg(long = "tag", value_name = "TAG", help_heading = WHICH)]
    pub(crate) tags: Vec<OsString>,
    /// Expiring within this time from now, such as 30d; with --expired, or expired already
    #[arg(long, value_name = "SPAN", help_heading = WHICH)]
    pub(crate) expiring: Option<OsString>,
    /// Whose expiry has passed
    #[arg(long, help_heading = WHICH)]
    pub(crate) expired: bool,
    /// Switched on
    #[arg(long, conflicts_with = "inactive", help_heading = WHICH)]
    pub(crate) active: bool,
    /// Switched off
    #[arg(long, help_heading = WHICH)]
    pub(crate) inactive: bool,
    /// Older than this, and with no use in it on record, such as 90d
    #[arg(long, value_name = "SPAN", help_heading = WHICH)]
    pub(crate) unused_since: Option<OsString>,
}

const WHICH: &str = "Which secrets; they meet every condition";

pub(super) const EXAMPLES: &str = "\
Lists the whole org; with a project or domain, or with --scope, exactly what is
there.

Examples:
  secretkit list
  secretkit list --project etl --domain production
  secretkit list --project etl --within   the project with all its domains
  secretkit list --project etl --effective
  secretkit list --scope acme             only what belongs to all of acme
  secretkit list --expiring 30d --tag payroll
  secretkit list --all --output json";
