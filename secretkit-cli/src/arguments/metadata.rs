//! What people keep about a secret beside its value.

use std::ffi::OsString;

use clap::Args;

/// What to put in.
#[derive(Args)]
pub(crate) struct MetadataArguments {
    /// Text for people; whoever can read the store can read it
    #[arg(long, value_name = "TEXT", help_heading = METADATA)]
    pub(crate) description: Option<OsString>,
    /// A label to find it by, as readable; may be repeated
    #[arg(long = "tag", value_name = "TAG", help_heading = METADATA)]
    pub(crate) tags: Vec<OsString>,
    /// 2027-01-31 (to its end, UTC), 2027-01-31T18:00:00Z or 90d
    #[arg(long, value_name = "WHEN", help_heading = METADATA)]
    pub(crate) expires: Option<OsString>,
    /// Switched off: a read of it is an error
    #[arg(long, help_heading = METADATA)]
    pub(crate) inactive: bool,
    /// How many superseded values to keep
    #[arg(long, value_name = "NUMBER", help_heading = METADATA)]
    pub(crate) keep: Option<OsString>,
}

/// What to take away.
#[derive(Args)]
pub(crate) struct RemovalArguments {
    /// Take the description away
    #[arg(long, conflicts_with = "description", help_heading = METADATA)]
    pub(crate) no_description: bool,
    /// Take this tag away, where it has it; may be repeated
    #[arg(long, value_name = "TAG", help_heading = METADATA)]
    pub(crate) untag: Vec<OsString>,
    /// Take the expiry away
    #[arg(long, conflicts_with = "expires", help_heading = METADATA)]
    pub(crate) no_expires: bool,
    /// Switched on again
    #[arg(long, conflicts_with = "inactive", help_heading = METADATA)]
    pub(crate) active: bool,
    /// Keep as many superseded values as any other secret
    #[arg(long, conflicts_with = "keep", help_heading = METADATA)]
    pub(crate) keep_default: bool,
}

const METADATA: &str = "What to keep about it";
