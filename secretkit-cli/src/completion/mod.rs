//! What a shell offers at the end of a command line that is being typed.
//!
//! The scripts that `secretkit completions` prints call `secretkit complete` with the words between the program's name
//! and the cursor on standard input, each ended by a NUL: standard input, because a value may be among them, and other
//! users see arguments. The first line of the answer says what kind it is, `words` or `open`, `files`, `directories` or
//! `commands`, and behind a tab how the last word begins where the shell itself completes the rest. The other lines are
//! the words to offer, each with what it means behind a tab.
//!
//! Nothing here asks, makes anything, or reports an error: where something is wrong, nothing is offered.

mod line;
mod offer;
mod stored;

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::ffi::OsStringExt;

use clap::CommandFactory;

use crate::arguments::Arguments;

/// Longer than any line that a person types.
const LONGEST_LINE: u64 = 1 << 20;

/// Reads the words, and prints what fits.
pub(crate) fn answer() {
    let input = std::io::stdin();
    if input.is_terminal() {
        return;
    }
    let mut bytes = Vec::new();
    if input.lock().take(LONGEST_LINE).read_to_end(&mut bytes).is_err() {
        return;
    }
    let Some(mut words) = words(&bytes) else { return };
    let Some(current) = words.pop() else { return };
    let mut command = Arguments::command();
    command.build();
    let line = line::Line::new(&command, &words, &current);
    let Some(offer) = offer::at(&line) else { return };
    // Where the shell went away, nobody is there to be offered anything.
    let _ = std::io::stdout().lock().write_all(offer.to_string().as_bytes());
}

/// The words on standard input, each with its NUL.
pub(crate) fn words(bytes: &[u8]) -> Option<Vec<OsString>> {
    let bytes = bytes.strip_suffix(b"\0")?;
    Some(bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

/// How the last of these words is understood: what stands before its value, its value, and what is offered for it where
/// no store is asked.
#[cfg(feature = "internals")]
pub(crate) fn understood(words: &[OsString], current: &std::ffi::OsStr) -> (OsString, OsString, Option<String>) {
    let mut command = Arguments::command();
    command.build();
    let line = line::Line::new(&command, words, current);
    let asks = matches!(line.place, line::Place::Value(_));
    let offered = if asks { None } else { offer::at(&line).map(|offer| offer.to_string()) };
    (line.before, line.value, offered)
}
