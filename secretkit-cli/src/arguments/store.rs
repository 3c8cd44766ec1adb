//! Stores as a whole.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Store {
    /// Copy all secrets from one store into another
    #[command(after_help = COPY_EXAMPLES)]
    Copy(CopyStore),
    /// Show which tables a store has
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// Make a store, or bring its tables up to date
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate,
}

/// Two stores. The keys of the one that is written to are those of every command.
#[derive(Args)]
pub(crate) struct CopyStore {
    /// The store to read: sqlite:PATH or postgres://HOST/DB
    #[arg(long, required = true, value_name = "URL")]
    pub(crate) from: OsString,
    /// The store to write, which is made where there is none
    #[arg(long, required = true, value_name = "URL")]
    pub(crate) to: OsString,
    /// Root key of the store to read, else the same as of the other
    #[arg(long, value_name = "URL")]
    pub(crate) from_key: Option<OsString>,
    /// The same as the path of a file
    #[arg(long, value_name = "PATH")]
    pub(crate) from_key_file: Option<OsString>,
    /// A root key of before of the store to read
    #[arg(long, value_name = "URL")]
    pub(crate) from_previous_key: Vec<OsString>,
    /// The root key of one org in the store to read
    #[arg(long, value_name = "ORG=URL")]
    pub(crate) from_org_key: Vec<OsString>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  secretkit store copy --from sqlite:old.db --to sqlite:new.db
  secretkit store status
  secretkit store migrate --store postgres://owner@db.example/secrets";

const STATUS_EXAMPLES: &str = "\
No root key is needed, and nothing is made or changed.

Examples:
  secretkit store status
  secretkit store status --store postgres://app@db.example/secrets";

const MIGRATE_EXAMPLES: &str = "\
No root key is needed. All that is to be done is one step: it is done or it is
not. Any number may run this at once. The tables never go back to an older
version; an older secretkit refuses newer ones.

Examples:
  secretkit store migrate --store postgres://owner@db.example/secrets";

const COPY_EXAMPLES: &str = "\
All orgs, or the one that is named. Ids, revisions, times, people, values of
before, consumers and last uses stay as they are; every value is opened, sealed
anew, and in the end compared in both stores. Events stay in the old store; in
the new one, each secret has one that says it was copied. It may be stopped at
any time, and passes over what was done when it is run again. Nothing is deleted,
and what was changed in the new store is left as it is and told.

Examples:
  secretkit store copy --from sqlite:old.db --to sqlite:new.db
  secretkit store copy --from sqlite:old.db --to sqlite:new.db \\
      --from-key file:old.key --key file:new.key
  secretkit store copy --from sqlite:old.db --to sqlite:new.db --org acme";
