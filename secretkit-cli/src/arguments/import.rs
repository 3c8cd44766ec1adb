//! `secretkit import`.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct Import {
    /// The file, or a directory with a file for each; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: OsString,
    /// dotenv, json, nextflow or directory; else the name of FILE tells
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<OsString>,
    /// Write also over secrets that exist
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Only tell what would be created and updated
    #[arg(long)]
    pub(crate) dry_run: bool,
}

pub(super) const EXAMPLES: &str = "\
All secrets go to exactly this scope, or none of them. The name tells dotenv
(.env, prod.env), json (secrets.json), Nextflow's store.json, and a directory.
Vault's second engine for keys and values has them in .data.data, the first one
in .data.

Examples:
  secretkit import .env --project etl --dry-run
  secretkit import .env --project etl --domain production
  secretkit import ~/.nextflow/secrets/store.json --project etl
  secretkit import /etc/flyte/secrets --overwrite
  vault kv get -format=json app | jq .data.data \\
      | secretkit import - --format json";
