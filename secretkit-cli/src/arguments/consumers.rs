//! Who uses a secret. `CONSUMER` stands behind `NAME`, and alone where the secret is named by an option.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueHint};

use super::{IdArgument, NameArguments};

#[derive(Subcommand)]
pub(crate) enum Use {
    /// Register a consumer, or note that it was seen again
    #[command(after_help = ADD_EXAMPLES, override_usage = ADD_USAGE)]
    Add(OneConsumer),
    /// Remove a consumer
    #[command(after_help = REMOVE_EXAMPLES, override_usage = REMOVE_USAGE)]
    Remove(OneConsumer),
    /// List the consumers with when each was last seen
    #[command(after_help = LIST_EXAMPLES)]
    List(Consumers),
    /// Remove the consumers that were not seen lately
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(StaleConsumers),
}

#[derive(Args)]
pub(crate) struct OneConsumer {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    /// What uses the secret, such as payroll.jobs:nightly
    #[arg(value_name = "CONSUMER", value_hint = ValueHint::Other)]
    pub(crate) consumer: Option<OsString>,
    #[command(flatten)]
    pub(crate) id: IdArgument,
}

#[derive(Args)]
pub(crate) struct Consumers {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
}

#[derive(Args)]
pub(crate) struct StaleConsumers {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    /// How long not: 30m, 12h, 90d, 4w
    #[arg(long, required = true, value_name = "SPAN", value_hint = ValueHint::Other)]
    pub(crate) unseen_since: OsString,
}

pub(super) const EXAMPLES: &str = "\
A secret with consumers cannot be deleted. A consumer is readable to whoever can
read the store.

Examples:
  secretkit use add db/password payroll.jobs:nightly --project etl
  secretkit use list db/password --project etl
  secretkit use remove db/password payroll.jobs:nightly --project etl
  secretkit use prune db/password --unseen-since 90d --project etl";

const ADD_USAGE: &str = "secretkit use add [OPTIONS] NAME CONSUMER
       secretkit use add [OPTIONS] --id <ID> CONSUMER";

const REMOVE_USAGE: &str = "secretkit use remove [OPTIONS] NAME CONSUMER
       secretkit use remove [OPTIONS] --id <ID> CONSUMER";

const ADD_EXAMPLES: &str = "\
Examples:
  secretkit use add db/password payroll.jobs:nightly --project etl
  secretkit use add api_key https://ci.example/deploy";

const REMOVE_EXAMPLES: &str = "\
Examples:
  secretkit use remove db/password payroll.jobs:nightly --project etl";

const LIST_EXAMPLES: &str = "\
Examples:
  secretkit use list db/password --project etl
  secretkit use list api_key --output json";

const PRUNE_EXAMPLES: &str = "\
Prints those that it removed.

Examples:
  secretkit use prune db/password --unseen-since 90d";
