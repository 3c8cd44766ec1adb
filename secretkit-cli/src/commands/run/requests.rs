//! What the options ask for. None of their text comes back in an error but the names of secrets: whoever is used to
//! `VAR=VALUE` may have put a value there.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use secretkit::{Error, SecretName, SecretRequest, VariableName};

use crate::commands::secret_name;
use crate::failure::Stop;
use crate::global;

/// Those for variables, then those for files.
///
/// # Errors
/// `invalid_name`, `invalid_variable`, `usage`.
pub(super) fn all(env: &[OsString], file: &[OsString]) -> Result<Vec<SecretRequest>, Stop> {
    let env = env.iter().map(|argument| in_variable(argument));
    let file = file.iter().map(|argument| as_file(argument));
    env.chain(file).collect()
}

/// `NAME[=VAR]`.
fn in_variable(argument: &OsStr) -> Result<SecretRequest, Stop> {
    let (name, given) = parts(argument)?;
    let variable = match given {
        Some(given) => variable(given, &name)?,
        None => variable(OsStr::new(name.key().as_str()), &name).map_err(|stop| {
            stop.or_hint("the variable is called like the key where none is given; give one, as in --env NAME=VAR")
        })?,
    };
    Ok(SecretRequest::new(name).with_variable(variable))
}

/// `NAME=VAR`.
fn as_file(argument: &OsStr) -> Result<SecretRequest, Stop> {
    match parts(argument)? {
        (name, Some(given)) => {
            let variable = variable(given, &name)?;
            Ok(SecretRequest::new(name).as_file().with_variable(variable))
        }
        (_, None) => {
            let hint = "give --file NAME=VAR; VAR is set to the file's path".to_owned();
            Err(Stop::usage("--file names no variable", hint))
        }
    }
}

/// No name holds an equals sign, so what stands behind the first is the variable.
fn parts(argument: &OsStr) -> Result<(SecretName, Option<&OsStr>), Stop> {
    let bytes = argument.as_bytes();
    let (name, variable) = match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (bytes, None),
    };
    Ok((secret_name(&OsStr::from_bytes(name).to_owned())?, variable))
}

fn variable(text: &OsStr, name: &SecretName) -> Result<VariableName, Stop> {
    let invalid = |fault| Error::InvalidVariable { name: name.to_string(), fault };
    let parsed = global::text(text).map_err(invalid)?.parse();
    Ok(parsed.map_err(|error| match error {
        Error::InvalidVariable { fault, .. } => invalid(fault),
        other => other,
    })?)
}

/// `FILE:FUNCTION`.
///
/// # Errors
/// `usage`.
pub(super) fn task(argument: &OsStr) -> Result<(PathBuf, String), Stop> {
    let bytes = argument.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b':');
    let parts = at.map(|at| (OsStr::from_bytes(&bytes[..at]), global::text(OsStr::from_bytes(&bytes[at + 1..]))));
    match parts {
        Some((file, Ok(function))) if !file.is_empty() && !function.is_empty() => {
            Ok((file.into(), function.to_owned()))
        }
        _ => {
            let hint = "write FILE:FUNCTION, as in --task pipeline.py:load".to_owned();
            Err(Stop::usage("--task does not name a function of a file", hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use secretkit::{Fault, Mount};

    use super::*;

    fn only(env: &[&str], file: &[&str]) -> Result<SecretRequest, Stop> {
        let texts = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
        all(&texts(env), &texts(file)).map(|mut all| all.remove(0))
    }

    fn refusal(outcome: Result<SecretRequest, Stop>) -> (String, String) {
        match outcome {
            Err(Stop::Failed(failure)) => {
                (failure.kind.to_string(), failure.message + &failure.hint.unwrap_or_default())
            }
            _ => ("not refused".to_owned(), String::new()),
        }
    }

    #[test]
    fn a_request_names_a_secret_and_a_variable() {
        for (text, name, expected) in [
            ("API_KEY", "API_KEY", "API_KEY"),
            ("api_key", "api_key", "api_key"),
            ("db/password", "db/password", "password"),
            ("db/password=PGPASSWORD", "db/password", "PGPASSWORD"),
            ("tls.key=TLS", "tls.key", "TLS"),
        ] {
            let request = only(&[text], &[]).map_err(|_| text);
            let request = request.as_ref().map(|request| (request.name.to_string(), request.variable.as_ref()));
            let variable: Result<VariableName, _> = expected.parse();
            assert_eq!(request, Ok((name.to_owned(), variable.as_ref().ok())));
        }
        let file = only(&[], &["tls.key=TLS"]).map(|request| (request.mount, request.variable.is_some()));
        assert!(matches!(file, Ok((Mount::File, true))));
    }

    #[test]
    fn what_makes_no_request_is_refused_and_not_quoted() {
        for (env, file, kind) in [
            ("tls.key", "", "invalid_variable"),
            ("db/2nd", "", "invalid_variable"),
            ("API_KEY=sk-Canary!", "", "invalid_variable"),
            ("API_KEY=", "", "invalid_variable"),
            ("=CANARY", "", "invalid_name"),
            ("sk Canary", "", "invalid_name"),
            ("", "tls", "usage"),
            ("", "tls=Canary=", "invalid_variable"),
        ] {
            let outcome = if file.is_empty() { only(&[env], &[]) } else { only(&[], &[file]) };
            let (found, told) = refusal(outcome);
            assert_eq!(found, kind, "{env}{file}");
            assert!(!told.to_lowercase().contains("canary"), "{told}");
        }
    }

    #[test]
    fn a_task_is_a_function_of_a_file() {
        let found = task(OsStr::new("a:b/c.py:load")).map_err(drop);
        assert_eq!(found, Ok(("a:b/c.py".into(), "load".to_owned())));
        for text in ["", ":", "load", "a.py:", ":load"] {
            assert!(task(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let (_, told) = refusal(only(&["tls.key"], &[]));
        assert!(told.contains(&Fault::Character { at: 3 }.to_string()) && told.contains("--env NAME=VAR"), "{told}");
    }
}
