//! Looking after a store: whether it is whole, what was done to it, a copy of it, and how safe it stands.

use std::ffi::OsString;

use clap::Args;

#[derive(Args)]
pub(crate) struct Audit {
    /// Only what was done within this span: 30m, 12h, 90d, 4w
    #[arg(long, value_name = "SPAN")]
    pub(crate) since: Option<OsString>,
    /// Only what was done to the secrets of this name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct Backup {
    /// The file to write, on a local disk
    #[arg(value_name = "FILE")]
    pub(crate) file: OsString,
    /// In place of the file that is there, once the new one is whole
    #[arg(long)]
    pub(crate) overwrite: bool,
}

pub(super) const VERIFY_EXAMPLES: &str = "\
All orgs, or the one that is named. Opens every record and checks every event;
finds what was altered, and rows that vanished, came back or are too old. Others
may read and write meanwhile. Exit code 40 says that something is wrong.

Examples:
  secretkit verify
  secretkit verify --org acme --output json
  secretkit verify --store sqlite:/backups/secrets.db";

pub(super) const AUDIT_EXAMPLES: &str = "\
All orgs, or the one that is named, the oldest event first. Only what changes a
secret or a key is an event; reading a value is not. With a project or domain:
only at exactly that scope. Exit code 40 says that the chain of events is
broken.

Examples:
  secretkit audit --since 7d
  secretkit audit --name db/password --project etl
  secretkit audit --output json | jq -r 'select(.action == \"delete\").address'";

pub(super) const BACKUP_EXAMPLES: &str = "\
The copy is whole and on the disk before it has its name. Others may read and
write meanwhile. The root key is not in it: keep that elsewhere.

Examples:
  secretkit backup /backups/secrets.db --overwrite
  secretkit verify --store sqlite:/backups/secrets.db";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Rates how safe the store and its root key stand, line by line: secure, weak or
insecure, and says what to do. Changes nothing. Exit code 47 says that something
is insecure.

Examples:
  secretkit doctor
  secretkit doctor --store sqlite:/var/lib/app/secrets.db --output json";
