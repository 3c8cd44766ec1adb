//! `secretkit run`: a child process with secrets in its environment, or a Python task.

mod child;
mod passing;
mod requests;

use std::ffi::OsString;

use rustix::io::Errno;
use secretkit::deliver::{Delivery, DeliveryOptions, FileMount};
use secretkit::{Error, ErrorKind, SecretRequest};

use self::passing::HeldBack;
use super::Session;
use super::opened::Opened;
use crate::arguments::Run;
use crate::failure::Stop;
use crate::task::PythonTask;

pub(super) fn run(session: Session, arguments: Run) -> Result<(), Stop> {
    let Run { env, file, task, command } = arguments;
    if let Some(task) = task {
        let (file, function) = requests::task(&task)?;
        let Session { settings, console, .. } = session;
        return Err(Stop::Task(Box::new(PythonTask { file, function, arguments: command, settings, console })));
    }
    if command.is_empty() {
        return Err(Stop::usage("no command is given", "it stands behind --".to_owned()));
    }
    Err(Stop::Ended(with_secrets(&session, &requests::all(&env, &file)?, command)?))
}

fn with_secrets(session: &Session, requests: &[SecretRequest], command: Vec<OsString>) -> Result<u8, Stop> {
    let secrets = match requests {
        [] => None,
        _ => Some(session.existing()?),
    };
    // From here to the end no signal ends this process and leaves files that nobody removes.
    let signals = HeldBack::new().map_err(system)?;
    let options = DeliveryOptions::default();
    let prepare = |secrets: &Opened| Delivery::prepare(secrets, &session.scope, requests, &options);
    let delivery = secrets.as_ref().map(prepare).transpose()?;
    if let Some(signal) = signals.one_that_ends_it() {
        return Err(Stop::Signalled(signal));
    }
    let before = signals.before();
    let passing = signals.pass_on().map_err(system)?;
    let child = child::start(command, delivery.as_ref().map(Delivery::environment), &before)?;
    // The child has them now. While it runs, nothing is held here but its files.
    let files = delivery.and_then(Delivery::into_files);
    drop(secrets);
    let code = passing.until_the_end_of(child).map_err(system);
    if let Some(Err(error)) = files.map(FileMount::close) {
        session.console.warning(&format!("the secret files could not be removed: {error}"));
    }
    code
}

/// What the operating system refused to do for us, in its own words.
fn system(source: std::io::Error) -> Stop {
    let words = match source.raw_os_error() {
        Some(errno) if errno == Errno::CHILD.raw_os_error() => {
            "the exit code is lost: this process was started with SIGCHLD ignored".to_owned()
        }
        _ => Error::Store { store: "the operating system".to_owned(), source: source.into() }.to_string(),
    };
    Stop::failed(ErrorKind::Other, words, None)
}
