//! Where a value comes from: the command line, a file, standard input or the prompt. Straight into a [`SecretValue`].

use std::ffi::OsString;
use std::path::Path;

use secretkit::{Encoding, Error, ErrorKind, SecretValue, Secrets, Settings};
use secretkit_exchange::read_file_up_to;

use crate::arguments::ValueArguments;
use crate::console::Console;
use crate::failure::Stop;
use crate::terminal;

/// The prompt, in the words that users of Union know.
const PROMPT: &str = "Enter secret value: ";

/// How many bytes a value may have.
pub(crate) fn limit(settings: &Settings) -> usize {
    settings.value_limit.unwrap_or(Secrets::DEFAULT_VALUE_LIMIT)
}

/// The value that the arguments name, decoded and not longer than allowed. Nothing is opened or made before it is
/// there.
///
/// # Errors
/// Where it is given twice or not at all, is empty without leave, cannot be read, is too long, or is not what it is said
/// to be.
pub(crate) fn value(arguments: ValueArguments, limit: usize, console: &Console) -> Result<SecretValue, Stop> {
    let (value, end) = value_with_end(arguments, limit, console)?;
    if end == End::Newline {
        console.warning("the value ends in a newline, which is kept; to drop it, give --trim-newline");
    }
    Ok(value)
}

/// Whether somebody is to be asked for the value, and can be.
pub(crate) fn is_asked_for(arguments: &ValueArguments) -> bool {
    !arguments.is_given() && terminal::is_there()
}

/// How a value ends that was given as it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum End {
    /// In a newline, which nobody may have meant.
    Newline,
    /// In any other way.
    Plain,
}

/// The same, for those who say themselves what a newline at its end means.
///
/// # Errors
/// Those of [`value`].
pub(crate) fn value_with_end(
    arguments: ValueArguments,
    limit: usize,
    console: &Console,
) -> Result<(SecretValue, End), Stop> {
    let ValueArguments { value, value_option, file, base64, trim_newline, allow_empty } = arguments;
    let encoding = if base64 { Encoding::Base64 } else { Encoding::Raw };
    let typed = match (value, value_option, file) {
        (Some(value), None, None) | (None, Some(value), None) => {
            console.warning(
                "a value on the command line is visible to other users of this machine and stays in the shell's \
                 history; leave it out to be asked for it, or give --file",
            );
            value
        }
        (None, None, Some(file)) => from_file(&file, encoding, limit)?,
        (None, None, None) if terminal::is_there() => from_prompt(encoding, limit)?,
        (None, None, None) => {
            let hint = "give --file PATH, or -f - to read standard input".to_owned();
            let message = "no value: none was given, and there is no terminal to ask at";
            return Err(Stop::failed(ErrorKind::NoValue, message, hint));
        }
        _ => return Err(Stop::usage("the value is given more than once; give VALUE, --value or --file", None)),
    };
    let typed = if trim_newline { without_line_end(&typed) } else { typed };
    let value = encoding.decode(typed)?;
    if value.len() > limit {
        return Err(too_large(limit));
    }
    if value.is_empty() && !allow_empty {
        let hint = "did what should give it fail? where it is meant to be empty, add --allow-empty".to_owned();
        return Err(Stop::failed(ErrorKind::NoValue, "no value: the one that was given is empty", hint));
    }
    let end = if !base64 && value.expose_secret().ends_with(b"\n") { End::Newline } else { End::Plain };
    Ok((value, end))
}

/// At most as much as a legal value can take: a file of any size ends in an error and not in memory.
fn from_file(path: &OsString, encoding: Encoding, limit: usize) -> Result<SecretValue, Stop> {
    read_file_up_to(Path::new(path), longest(encoding, limit)).map_err(|error| match error {
        Error::TooLarge { .. } => too_large(limit),
        other => other.into(),
    })
}

fn from_prompt(encoding: Encoding, limit: usize) -> Result<SecretValue, Stop> {
    let longest = longest(encoding, limit);
    let mut length = 0;
    let line = SecretValue::try_init_with(longest + 1, |line| {
        length = terminal::ask_hidden(PROMPT, line)?;
        Ok::<(), Stop>(())
    })?;
    if length > longest {
        return Err(too_large(limit));
    }
    Ok(SecretValue::copied_from(&line.expose_secret()[..length]))
}

/// How long a legal value can be as it is given.
fn longest(encoding: Encoding, limit: usize) -> usize {
    let longest = match encoding {
        // Four characters for three bytes, and a line end that may be trimmed.
        Encoding::Base64 => limit.div_ceil(3) * 4 + 2,
        _ => limit + 2,
    };
    longest.min(SecretValue::MAX_BYTES)
}

/// How long it is nobody knows, because no more of it was read.
fn too_large(limit: usize) -> Stop {
    let hint = (limit < SecretValue::MAX_BYTES).then(|| {
        format!("SECRETKIT_VALUE_LIMIT is the number of bytes that are allowed, up to {}", SecretValue::MAX_BYTES)
    });
    Stop::failed(ErrorKind::TooLarge, format!("the value has more than {limit} bytes, and no more are allowed"), hint)
}

fn without_line_end(typed: &SecretValue) -> SecretValue {
    let bytes = typed.expose_secret();
    match bytes.strip_suffix(b"\n") {
        Some(line) => SecretValue::copied_from(line.strip_suffix(b"\r").unwrap_or(line)),
        None => typed.clone(),
    }
}
