//! One file for each command.

mod audit;
mod backup;
mod consumers;
mod create;
mod delete;
mod doctor;
mod export;
mod history;
mod import;
mod key;
mod list;
mod opened;
mod orgs;
mod render;
mod reveal;
mod rollback;
mod run;
mod shell;
mod show;
mod store;
mod update;
mod verify;
mod verify_value;

use std::ffi::OsString;
use std::io::Write;

use secretkit::{Error, KeyUrl, PartKind, Scope, SecretId, SecretInfo, SecretName, SecretRef, Settings, StableId};

use crate::arguments::{Arguments, Command, Global, IdArgument, NameArguments};
use crate::console::{self, Console, Format};
use crate::failure::Stop;
use crate::global;
use crate::json::SecretObject;

/// Runs the command.
///
/// # Errors
/// Whatever ends it early.
pub(crate) fn run(arguments: Arguments, console: &Console) -> Result<(), Stop> {
    let Arguments { global, command } = arguments;
    // What is printed for a shell or a manual needs no store, and works whatever the variables say.
    let needs_none = matches!(command, Command::Shell(_));
    let settings = if needs_none { Settings::default() } else { global.settings()? };
    let key = settings.key.clone();
    let session = Session { scope: settings.scope()?, settings, global, console: *console };
    dispatch(session, command, console).map_err(|stop| match &key {
        Some(KeyUrl::File(path)) if stop.is_of_missing_file(path) => stop.or_hint(NO_KEY_FILE),
        _ => stop,
    })
}

/// A root key that somebody names is never made in passing: a typing error would hide the key that the store has.
const NO_KEY_FILE: &str = "a root key that is named has to be there; to make one for a new store, run: \
    (umask 077 && head -c 32 /dev/urandom | base64 > FILE)";

fn dispatch(session: Session, command: Command, console: &Console) -> Result<(), Stop> {
    match command {
        Command::Create(arguments) => create::run(&session, arguments),
        Command::Update(arguments) => update::run(&session, arguments),
        Command::List(arguments) => list::run(&session, &arguments),
        Command::Show(arguments) => show::run(&session, &arguments),
        Command::Reveal(arguments) => reveal::run(&session, &arguments),
        Command::Delete(arguments) => delete::run(&session, &arguments),
        Command::History(arguments) => history::run(&session, &arguments),
        Command::Rollback(arguments) => rollback::run(&session, &arguments),
        Command::Prune(arguments) => history::prune(&session, &arguments),
        Command::Use(command) => consumers::run(&session, command),
        Command::VerifyValue(arguments) => verify_value::run(&session, arguments),
        Command::Run(arguments) => run::run(session, arguments),
        Command::Render(arguments) => render::run(&session, &arguments),
        Command::Import(arguments) => import::run(&session, &arguments),
        Command::Export(arguments) => export::run(&session, &arguments),
        Command::Key(command) => key::run(&session, command),
        Command::Verify => verify::run(&session),
        Command::Audit(arguments) => audit::run(&session, &arguments),
        Command::Backup(arguments) => backup::run(&session, &arguments),
        Command::Store(command) => store::run(&session, command),
        Command::Doctor => doctor::run(&session),
        Command::Shell(command) => shell::run(&command, console),
    }
}

/// What every command works with.
struct Session {
    settings: Settings,
    scope: Scope,
    global: Global,
    console: Console,
}

impl Session {
    /// Says what happened to which secret, and prints it as data where that is wanted.
    fn wrote(&self, what: &str, info: &SecretInfo) -> Result<(), Stop> {
        self.console.notice(&format!("{what} {}, revision {}", info.address, info.revision));
        self.print_object(info)
    }

    /// Prints a secret as data where that is wanted.
    fn print_object(&self, info: &SecretInfo) -> Result<(), Stop> {
        match self.console.format {
            Format::Json => {
                let line = json(&SecretObject::from(info))? + "\n";
                console::standard_output()?.write_all(line.as_bytes()).map_err(Stop::output)
            }
            Format::Table => Ok(()),
        }
    }

    /// The secret that is named, at exactly this scope.
    fn reference(&self, named: Named) -> SecretRef {
        match named {
            Named::Name(name) => SecretId::new(self.scope.clone(), name).into(),
            Named::Id(id) => (self.scope.org(), id).into(),
        }
    }
}

/// Which secret the arguments name.
enum Named {
    Name(SecretName),
    Id(StableId),
}

impl NameArguments {
    /// The name, which must be given, and once.
    ///
    /// # Errors
    /// `usage`, `invalid_name`.
    fn required(&self) -> Result<SecretName, Stop> {
        match (&self.name, &self.name_option) {
            (Some(name), None) | (None, Some(name)) => secret_name(name),
            (Some(_), Some(_)) => Err(Stop::usage(
                "the name is given twice",
                "with --name, the value is given as --value, --file or at the prompt".to_owned(),
            )),
            (None, None) => Err(Stop::usage("no secret is named", "give its NAME".to_owned())),
        }
    }

    /// The name or the id, one of which must be given.
    ///
    /// # Errors
    /// `usage`, `invalid_name`, `invalid_metadata`.
    fn or_id(&self, id: &IdArgument) -> Result<Named, Stop> {
        match (&id.id, &self.name, &self.name_option) {
            (Some(id), None, None) => {
                let text = global::text(id).map_err(|fault| Error::InvalidMetadata { field: "id", fault })?;
                Ok(Named::Id(text.parse()?))
            }
            (Some(_), ..) => Err(Stop::usage(
                "the secret is named by both its name and its id",
                "give one of them; beside --id, a value is given as --value or --file, or at the prompt".to_owned(),
            )),
            (None, ..) => self.required().map(Named::Name),
        }
    }
}

fn secret_name(argument: &OsString) -> Result<SecretName, Stop> {
    let part = PartKind::Key;
    let name = global::text(argument).map_err(|fault| Error::InvalidName { part, fault });
    name.and_then(str::parse).map_err(|error| Stop::from(error).or_hint(NAME_HINT))
}

const NAME_HINT: &str = "a name is KEY or GROUP/KEY; the scope is given apart, with --scope or --project and --domain";

fn json(object: &SecretObject<'_>) -> Result<String, Stop> {
    serde_json::to_string(object).map_err(|error| Stop::output(error.into()))
}
