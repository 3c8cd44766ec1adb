//! `secretkit export`.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct Export {
    /// Only these secrets, each KEY or GROUP/KEY
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<OsString>,
    /// dotenv, json, nextflow or directory; else the name of PATH tells
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<OsString>,
    /// Where to, with mode 0600; else, and with -, standard output
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<OsString>,
    /// Replace what stands at PATH
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// What a task at this scope would get, not only what is exactly there
    #[arg(long)]
    pub(crate) effective: bool,
    /// Leave out inactive and expired secrets, which otherwise are an error
    #[arg(long)]
    pub(crate) skip_unavailable: bool,
}

pub(super) const EXAMPLES: &str = "\
What is written is not encrypted. Asks first; without a terminal it needs --yes.

Examples:
  secretkit export --to prod.env --project etl --domain production
  secretkit export API_KEY db/password --format json
  secretkit export --format nextflow --to ~/.nextflow/secrets/store.json
  secretkit export --format directory --to /run/secrets --effective -p etl --yes";
