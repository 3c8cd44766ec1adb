//! `secretkit update`.

use std::ffi::OsString;

use clap::Args;

use super::metadata::{MetadataArguments, RemovalArguments};
use super::{IdArgument, NameArguments, ValueArguments};

#[derive(Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    #[command(flatten)]
    pub(crate) value: ValueArguments,
    /// Only if the secret is at this generation, as `show` prints it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) if_generation: Option<OsString>,
    #[command(flatten)]
    pub(crate) metadata: MetadataArguments,
    #[command(flatten)]
    pub(crate) removals: RemovalArguments,
}

pub(super) const EXAMPLES: &str = "\
Asks for a new value, unless one is given or only what is kept about the secret
is to change.

Examples:
  secretkit update api_key                       ask for the new value
  secretkit update tls.key -f new.key --project etl --expires 2027-01-31
  secretkit update api_key -f - --if-generation 3
  secretkit update api_key --description 'of the payroll' --tag eu --untag us
  secretkit update api_key --inactive            switch it off, whoever uses it";
