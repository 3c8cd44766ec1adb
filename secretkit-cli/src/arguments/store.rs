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
    /// Give a login of the server a role in an org
    #[command(after_help = GRANT_EXAMPLES)]
    Grant(Grant),
    /// Take an org away from a login
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(Revoke),
    /// List which logins see which orgs
    #[command(after_help = GRANTS_EXAMPLES)]
    Grants,
    /// Print the SQL that makes the roles, for an administrator
    #[command(after_help = ROLES_EXAMPLES)]
    Roles(Roles),
}

#[derive(Args)]
pub(crate) struct Grant {
    /// Who logs in to the server
    #[arg(value_name = "LOGIN")]
    pub(crate) login: OsString,
    /// What it may do: reader, writer, rotator or auditor
    #[arg(long, required = true, value_name = "ROLE")]
    pub(crate) role: OsString,
    /// What the groups on the server begin with, else the schema's name
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct Revoke {
    /// Who logs in to the server
    #[arg(value_name = "LOGIN")]
    pub(crate) login: OsString,
    /// No org at all any more
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct Roles {
    /// What the groups on the server begin with, else the schema's name
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<OsString>,
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
  secretkit store migrate --store postgres://owner@db.example/secrets
  secretkit store grant etl --role reader --org acme";

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

const GRANT_EXAMPLES: &str = "\
A reader resolves and lists. A writer creates, changes and deletes beside that.
A rotator changes keys and writes anew what is under old ones. An auditor reads
everything, with the events, and writes nothing. Whatever it says, a login sees
the orgs that it was granted and no other. The login must be there; the store is
opened as the owner of its tables, who needs CREATEROLE unless an administrator
has run what `secretkit store roles` prints. No root key is needed.

Examples:
  secretkit store grant etl --role reader --org acme
  secretkit store grant ops --role rotator --org acme \\
      --store postgres://owner@db.example/secrets";

const REVOKE_EXAMPLES: &str = "\
It holds at once, also for those who are logged in.

Examples:
  secretkit store revoke etl --org acme
  secretkit store revoke etl --all";

const GRANTS_EXAMPLES: &str = "\
All orgs, or the one that is named.

Examples:
  secretkit store grants
  secretkit store grants --org acme --output json";

const ROLES_EXAMPLES: &str = "\
Nothing is made or changed.

Examples:
  secretkit store roles > roles.sql
  secretkit store roles --prefix billing > roles.sql";

const COPY_EXAMPLES: &str = "\
All orgs, or the one that is named. Ids, revisions, times, people, values of
before, consumers and last uses stay as they are; every value is opened, sealed
anew, and in the end compared in both stores. Events stay in the old store; in
the new one, each secret has one that says it was copied. It may be stopped at
any time, and passes over what was done when it is run again. Nothing is
deleted: what was deleted in the old store is told while the new one has it, and
what was changed in the new store is left as it is and told.

Examples:
  secretkit store copy --from sqlite:old.db --to sqlite:new.db
  secretkit store copy --from sqlite:old.db --to sqlite:new.db \\
      --from-key file:old.key --key file:new.key
  secretkit store copy --from sqlite:old.db --to sqlite:new.db --org acme";
