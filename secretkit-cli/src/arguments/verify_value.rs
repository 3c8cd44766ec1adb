//! A value that is compared and not stored.

use clap::Args;

use super::{IdArgument, NameArguments, ValueArguments};

#[derive(Args)]
pub(crate) struct VerifyValue {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    #[command(flatten)]
    pub(crate) value: ValueArguments,
}

pub(super) const EXAMPLES: &str = "\
Exit code 0 is the current value and 28 another one.

Examples:
  secretkit verify-value api_key              ask for the value to compare
  secretkit verify-value tls.key -f tls.key
  pass show api | secretkit verify-value api_key -f - --trim-newline";
