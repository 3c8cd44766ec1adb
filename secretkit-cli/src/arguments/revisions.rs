//! What a secret's values are looked at, taken back and destroyed with.

use std::ffi::OsString;

use clap::Args;

use super::{IdArgument, NameArguments};

#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
}

#[derive(Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    /// The revision whose value is set again, as `history` prints it
    #[arg(long, required = true, value_name = "NUMBER")]
    pub(crate) to: OsString,
    /// Only if the secret is at this generation, as `show` prints it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) if_generation: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    /// How many superseded values are left, the latest of them; may be 0
    #[arg(long, required = true, value_name = "NUMBER")]
    pub(crate) keep: OsString,
}

pub(super) const HISTORY_EXAMPLES: &str = "\
Shows every value that is kept, never the values themselves: when it was set, by
whom, and its digest. Equal digests are equal values.

Examples:
  secretkit history db/password --project etl
  secretkit history api_key --output json
  secretkit reveal api_key --revision 2";

pub(super) const ROLLBACK_EXAMPLES: &str = "\
Makes a new revision with the old value; nothing is lost on the way.

Examples:
  secretkit rollback api_key --to 2
  secretkit rollback db/password --to 2 --if-generation 7";

pub(super) const PRUNE_EXAMPLES: &str = "\
The current value stays. Asks first; without a terminal it needs --yes.

Examples:
  secretkit prune api_key --keep 2
  secretkit prune api_key --keep 0 --yes      after the old key has leaked";
