//! The command line. Everything that a person types is taken as it is and understood later, by the types that know
//! its rules: so it has its own error kind, and none of it comes back in a message.

mod consumers;
mod create;
mod export;
mod import;
mod keys;
mod list;
mod metadata;
mod render;
mod revisions;
mod run;
mod shell;
mod store;
mod update;
mod upkeep;
mod verify_value;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};
use secretkit::SecretValue;

pub(crate) use consumers::{Consumers, OneConsumer, StaleConsumers, Use};
pub(crate) use create::Create;
pub(crate) use export::Export;
pub(crate) use import::Import;
pub(crate) use keys::{AddKey, DestroyKeys, Key, OneKey, Reencrypt, RotateKeys};
pub(crate) use list::List;
pub(crate) use metadata::{MetadataArguments, RemovalArguments};
pub(crate) use render::Render;
pub(crate) use revisions::{History, Prune, Rollback};
pub(crate) use run::Run;
pub(crate) use shell::Shell;
pub(crate) use store::{CopyStore, Grant, Revoke, Roles, Store};
pub(crate) use update::Update;
pub(crate) use upkeep::{Audit, Backup};
pub(crate) use verify_value::VerifyValue;

/// Keep secrets in an encrypted store, for people, tasks and programs.
#[derive(Parser)]
#[command(
    name = "secretkit",
    bin_name = "secretkit",
    version,
    term_width = 80,
    arg_required_else_help = true,
    help_template = "{about}\n\n{usage-heading} {usage}\n\n{all-args}{after-help}",
    after_help = TOP_EXAMPLES
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
pub(crate) struct Global {
    /// ORG, ORG/PROJECT, ORG/*/DOMAIN or ORG/PROJECT/DOMAIN
    #[arg(long, global = true, value_name = "SCOPE", help_heading = SCOPE)]
    pub(crate) scope: Option<OsString>,
    /// Organization ($SECRETKIT_ORG, else `default`)
    #[arg(long, global = true, value_name = "ORG", help_heading = SCOPE)]
    pub(crate) org: Option<OsString>,
    /// Project ($SECRETKIT_PROJECT)
    #[arg(short, long, global = true, value_name = "PROJECT", help_heading = SCOPE)]
    pub(crate) project: Option<OsString>,
    /// Domain, such as production ($SECRETKIT_DOMAIN)
    #[arg(short, long, global = true, value_name = "DOMAIN", help_heading = SCOPE)]
    pub(crate) domain: Option<OsString>,
    /// Organization and project, as `tw` takes them
    #[arg(short, long, global = true, value_name = "ORG/WS", help_heading = SCOPE)]
    pub(crate) workspace: Option<OsString>,

    /// sqlite:PATH or postgres://HOST/DB ($SECRETKIT_STORE, else the user's own)
    #[arg(long, global = true, value_name = "URL", help_heading = PLACE)]
    pub(crate) store: Option<OsString>,
    /// Root key: file:PATH, env:NAME, credential:NAME, exec:COMMAND, keyring:SERVICE/USER, passphrase: ($SECRETKIT_KEY)
    #[arg(long, global = true, value_name = "URL", help_heading = PLACE)]
    pub(crate) key: Option<OsString>,
    /// Root key file ($SECRETKIT_KEY_FILE, else the user's)
    #[arg(long, global = true, value_name = "PATH", help_heading = PLACE)]
    pub(crate) key_file: Option<OsString>,
    /// A root key of before ($SECRETKIT_PREVIOUS_KEYS)
    #[arg(long, global = true, value_name = "URL", help_heading = PLACE)]
    pub(crate) previous_key: Vec<OsString>,
    /// The root key of one org ($SECRETKIT_ORG_KEYS)
    #[arg(long, global = true, value_name = "ORG=URL", help_heading = PLACE)]
    pub(crate) org_key: Vec<OsString>,
    /// Remembers elsewhere how far the store was ($SECRETKIT_ANCHOR)
    #[arg(long, global = true, value_name = "FILE", help_heading = PLACE)]
    pub(crate) anchor: Option<OsString>,
    /// Who writes ($SECRETKIT_ACTOR, else user@host)
    #[arg(long, global = true, value_name = "NAME", value_hint = ValueHint::Username, help_heading = PLACE)]
    pub(crate) actor: Option<OsString>,

    /// table or json ($SECRETKIT_OUTPUT)
    #[arg(short, long, global = true, value_name = "FORM", help_heading = ANSWER)]
    pub(crate) output: Option<OsString>,
    /// Do not ask before deleting ($SECRETKIT_YES)
    #[arg(short, long, global = true, help_heading = ANSWER)]
    pub(crate) yes: bool,
    /// No notices and warnings ($SECRETKIT_QUIET)
    #[arg(short, long, global = true, help_heading = ANSWER)]
    pub(crate) quiet: bool,
}

const SCOPE: &str = "Which scope";
const PLACE: &str = "Which store, as whom";
const ANSWER: &str = "How to answer";

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Store a new secret
    #[command(visible_aliases = ["set", "add"], after_help = create::EXAMPLES)]
    Create(Create),
    /// Give a secret a new value, or change what is kept about it
    #[command(after_help = update::EXAMPLES)]
    Update(Update),
    /// List secrets, never their values
    #[command(visible_alias = "ls", after_help = list::EXAMPLES)]
    List(List),
    /// Show everything about a secret but its value
    #[command(visible_alias = "view", after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Print a secret's value, as a task at this scope would get it
    #[command(after_help = REVEAL_EXAMPLES)]
    Reveal(Reveal),
    /// Delete a secret and all its revisions
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(Delete),
    /// Show the values that a secret had, by their digests
    #[command(after_help = revisions::HISTORY_EXAMPLES)]
    History(History),
    /// Set the value of an earlier revision again
    #[command(after_help = revisions::ROLLBACK_EXAMPLES)]
    Rollback(Rollback),
    /// Destroy superseded values of a secret
    #[command(after_help = revisions::PRUNE_EXAMPLES)]
    Prune(Prune),
    /// Keep the consumers of a secret, which block its deletion
    #[command(subcommand, arg_required_else_help = true, after_help = consumers::EXAMPLES)]
    Use(Use),
    /// Compare a value with a secret's, without revealing it
    #[command(after_help = verify_value::EXAMPLES)]
    VerifyValue(VerifyValue),
    /// Run a command with secrets in its environment, or a Python task
    #[command(after_help = run::EXAMPLES, override_usage = run::USAGE)]
    Run(Run),
    /// Fill the secrets into a template
    #[command(after_help = render::EXAMPLES)]
    Render(Render),
    /// Store the secrets of a file, all of them or none
    #[command(after_help = import::EXAMPLES)]
    Import(Import),
    /// Write secrets into a file, in plain
    #[command(after_help = export::EXAMPLES)]
    Export(Export),
    /// Keep the keys: their status, and the steps of a rotation
    #[command(subcommand, arg_required_else_help = true, after_help = keys::EXAMPLES)]
    Key(Key),
    /// Check every record and event of the store
    #[command(after_help = upkeep::VERIFY_EXAMPLES)]
    Verify,
    /// Show what was done to secrets and keys, by whom and when
    #[command(after_help = upkeep::AUDIT_EXAMPLES)]
    Audit(Audit),
    /// Copy the store into a file while it is in use
    #[command(after_help = upkeep::BACKUP_EXAMPLES)]
    Backup(Backup),
    /// Look after stores as a whole
    #[command(subcommand, arg_required_else_help = true, after_help = store::EXAMPLES)]
    Store(Store),
    /// Rate how safe the store and its root key stand
    #[command(after_help = upkeep::DOCTOR_EXAMPLES)]
    Doctor,
    #[command(flatten)]
    Shell(Shell),
}

/// A secret by its name, in either of two places.
#[derive(Args)]
pub(crate) struct NameArguments {
    /// Name of the secret: KEY, or GROUP/KEY
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<OsString>,
    /// The same as an option, as `tw` takes it
    #[arg(short, long = "name", value_name = "NAME")]
    pub(crate) name_option: Option<OsString>,
}

/// A secret by its id.
#[derive(Args)]
pub(crate) struct IdArgument {
    /// Id of the secret instead of its name, as `list --output json` prints it
    #[arg(short, long, value_name = "ID")]
    pub(crate) id: Option<OsString>,
}

/// Where the value comes from. Has no `Debug`: it may hold one.
#[derive(Args)]
pub(crate) struct ValueArguments {
    /// The value itself; better left out, to be asked for it
    #[arg(value_name = "VALUE", value_parser = typed_value())]
    pub(crate) value: Option<SecretValue>,
    /// The same as an option, as `tw` takes it
    #[arg(short, long = "value", value_name = "VALUE", value_parser = typed_value())]
    pub(crate) value_option: Option<SecretValue>,
    /// Read the value from this file; - is standard input
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<OsString>,
    /// The value is given in base64, which is decoded first
    #[arg(long)]
    pub(crate) base64: bool,
    /// Drop one line end at the end of the value
    #[arg(long)]
    pub(crate) trim_newline: bool,
    /// Take a value that is empty, too
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

impl ValueArguments {
    /// Whether they name a place that it comes from, so that nobody need be asked for it.
    pub(crate) const fn is_given(&self) -> bool {
        self.value.is_some() || self.value_option.is_some() || self.file.is_some()
    }
}

#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
}

#[derive(Args)]
pub(crate) struct Reveal {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
    /// An earlier value, by its number as `history` prints it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) revision: Option<OsString>,
    /// Only at exactly this scope, not at those above it
    #[arg(long)]
    pub(crate) exact: bool,
    /// Print the bytes as they are even to a terminal, without a line end
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) name: NameArguments,
    #[command(flatten)]
    pub(crate) id: IdArgument,
}

/// A value that is wiped where it goes from here. Its copies in the arguments, the process's own and those that the
/// parser makes of them, are not: one more reason to leave it out and be asked for it.
fn typed_value() -> impl TypedValueParser<Value = SecretValue> {
    OsStringValueParser::new().map(|text| SecretValue::from(text.into_vec()))
}

const TOP_EXAMPLES: &str = "\
Examples:
  secretkit create db/password              ask for the value, and store it
  secretkit create tls.key --file tls.key   store a file
  secretkit list                            what there is, with digests
  secretkit reveal db/password              print the value

`secretkit COMMAND --help` tells more about each command.";

const SHOW_EXAMPLES: &str = "\
Examples:
  secretkit show db/password --project etl
  secretkit show api_key --output json";

const REVEAL_EXAMPLES: &str = "\
Looks at org/project/domain, org/project, org/*/domain and org, in this order,
and takes the first secret that exists. Standard error says which it was.

Examples:
  secretkit reveal db/password --project etl --domain production
  secretkit reveal tls.key > tls.key
  secretkit reveal api_key --exact --scope acme
  secretkit reveal api_key --revision 2";

const DELETE_EXAMPLES: &str = "\
Asks first; without a terminal it needs --yes.

Examples:
  secretkit delete api_key
  secretkit delete db/password --project etl --domain production --yes";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::Arguments;

    /// A line that is wider than the page is broken in two, and its last word stands alone.
    #[test]
    fn no_line_behind_the_options_is_broken_again() {
        let mut commands: Vec<Command> = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            let name = command.get_name();
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let long = text.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{name}");
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
