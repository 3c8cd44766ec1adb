//! `secretkit create`, and `set` and `add`.

use clap::Args;

use super::metadata::MetadataArguments;
use super::{NameArguments, ValueArguments};

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) value: ValueArguments,
    /// Write also over a secret that exists
    #[arg(long, conflicts_with = "update_only")]
    pub(crate) overwrite: bool,
    /// Write only over a secret that exists, as `update` does
    #[arg(long)]
    pub(crate) update_only: bool,
    #[command(flatten)]
    pub(crate) metadata: MetadataArguments,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  secretkit create api_key                       ask for the value
  secretkit create tls.key -f tls.key            from a file
  secretkit create api_key --expires 90d --tag payroll --tag eu
  pass show api | secretkit create api_key -f - --trim-newline
  secretkit create db/password --project etl --domain production
  secretkit set api_key --file=key.b64 --base64 --overwrite";
