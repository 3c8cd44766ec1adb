//! Asking at the terminal.
//!
//! The prompt is written out here over `rustix` because the ready-made ones change what is typed or leave the terminal
//! silent after Ctrl-C, and all of them collect the value in a string that grows and is not wiped.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios};
use secretkit::{Error, ErrorKind};

use crate::failure::Stop;
use crate::progress;
use crate::signals::Signals;

/// Whether there is somebody to ask.
pub(crate) fn is_there() -> bool {
    std::io::stdin().is_terminal()
}

/// Whether there is a terminal, even where the standard streams lead elsewhere.
pub(crate) fn can_be_opened() -> bool {
    File::options().read(true).write(true).open(TERMINAL).is_ok() || is_there()
}

/// How many columns standard output has, where it is a terminal that tells.
pub(crate) fn columns(output: &File) -> Option<usize> {
    match rustix::termios::tcgetwinsize(output) {
        Ok(size) if size.ws_col > 0 => Some(usize::from(size.ws_col)),
        _ => None,
    }
}

/// Asks a question that yes or no answers; anything but yes is no.
///
/// # Errors
/// Where the terminal cannot be used.
pub(crate) fn confirm(question: &str) -> Result<bool, Stop> {
    Ok(matches!(answer(question)?.as_str(), "y" | "Y" | "yes" | "Yes" | "YES"))
}

/// Asks for a line that may be seen; comes without the blanks around it.
///
/// # Errors
/// Where the terminal cannot be used.
pub(crate) fn answer(question: &str) -> Result<String, Stop> {
    let terminal = &open()?;
    let _aside = progress::stand_aside();
    write(terminal, question)?;
    let mut answer = String::new();
    let length = BufReader::new(terminal).read_line(&mut answer).map_err(failed)?;
    if length == 0 {
        // The end of input leaves the cursor behind the question.
        write(terminal, "\n")?;
    }
    Ok(answer.trim().to_owned())
}

/// Asks for one line that is not shown, straight into `line`, and returns how much of it was filled. A `line` that is
/// filled to its end was too short; what was typed is read to its Enter all the same, so that none of it comes back on
/// the screen.
///
/// Every byte is kept as it is typed, but for Enter, which ends the line, the keys that erase, and Ctrl-C.
///
/// # Errors
/// [`Stop::Signalled`] after Ctrl-C and after a signal; `no_value` after Ctrl-D; `invalid_encoding` where a control byte
/// was typed or several lines were pasted, either of which would be a value that nobody meant.
pub(crate) fn ask_hidden(prompt: &str, line: &mut [u8]) -> Result<usize, Stop> {
    let terminal = &open()?;
    let _aside = progress::stand_aside();
    // Held back first and let go last: while the terminal is silent, no signal ends the process behind our back.
    let signals = Signals::hold_back().map_err(failed)?;
    let silence = Silence::begin(terminal)?;
    write(terminal, prompt)?;
    let outcome = read_line(terminal, &signals, line);
    let pasted_more = outcome.is_ok() && discard_waiting(terminal);
    drop(silence);
    drop(signals);
    write(terminal, "\n")?;
    let length = outcome?;
    if pasted_more {
        return Err(not_one_line("several lines were pasted, and the prompt takes one"));
    }
    if length < line.len() && line[..length].iter().any(|&byte| byte < 0x20 && byte != b'\t') {
        return Err(not_one_line("a control key was typed, an arrow perhaps, which the prompt cannot take"));
    }
    Ok(length)
}

fn read_line(mut terminal: &File, signals: &Signals, line: &mut [u8]) -> Result<usize, Stop> {
    let mut length = 0;
    loop {
        if let Some(signal) = signals.first_of(terminal).map_err(failed)? {
            return Err(Stop::Signalled(signal));
        }
        // Straight into its place; a key that is no part of the value is overwritten by the next one. Behind the last
        // place there is no other: there each key overwrites the one before it.
        let place = length.min(line.len() - 1);
        match terminal.read(&mut line[place..=place]) {
            Ok(0) => return Err(nothing_typed()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        }
        match line[place] {
            b'\n' | b'\r' => return Ok(length),
            INTERRUPT => return Err(Stop::Signalled(SIGINT)),
            END_OF_INPUT if length == 0 => return Err(nothing_typed()),
            ERASE_LINE => length = 0,
            // Too long stays too long: nobody knows any more which character was the last.
            _ if length == line.len() => {}
            ERASE | BACKSPACE => length = before_last_character(&line[..length]),
            _ => length += 1,
        }
    }
}

/// Whether there was more than one line. The rest of a paste must neither appear on the screen nor become commands of
/// the shell, and a long one comes in pieces.
fn discard_waiting(terminal: &File) -> bool {
    let waiting = || rustix::io::ioctl_fionread(terminal).is_ok_and(|count| count > 0);
    let pasted_more = waiting();
    while waiting() {
        let _ = rustix::termios::tcflush(terminal, QueueSelector::IFlush);
        std::thread::sleep(Duration::from_millis(30));
    }
    pasted_more
}

/// The number that Ctrl-C stands for.
const SIGINT: u8 = 2;

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const ERASE: u8 = 0x7f;

/// Where the last character begins, in UTF-8 or in any encoding of one byte.
fn before_last_character(line: &[u8]) -> usize {
    let continues = |byte: u8| byte & 0xc0 == 0x80;
    let tail = line.iter().rev().take(3).take_while(|&&byte| continues(byte)).count();
    match line.len().checked_sub(tail + 1) {
        Some(start) if tail == 0 || line[start] >= 0xc0 => start,
        Some(_) | None => line.len().saturating_sub(1),
    }
}

/// While it lives, the terminal shows nothing, hands over every key at once and sends no signals; then it is as before.
///
/// Not line by line as a terminal does it by itself: that cuts a line off after 4,095 bytes without a word.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a File) -> Result<Self, Stop> {
        let before = rustix::termios::tcgetattr(terminal).map_err(failed)?;
        let mut during = before.clone();
        during.local_modes &=
            !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        during.special_codes[SpecialCodeIndex::VMIN] = 1;
        during.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(terminal, OptionalActions::Now, &during).map_err(failed)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // If this fails the terminal is gone.
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// The terminal itself, wherever the standard streams lead.
fn open() -> Result<File, Stop> {
    File::options()
        .read(true)
        .write(true)
        .open(TERMINAL)
        .or_else(|_| std::io::stdin().as_fd().try_clone_to_owned().map(File::from))
        .map_err(failed)
}

fn write(mut terminal: &File, text: &str) -> Result<(), Stop> {
    terminal.write_all(text.as_bytes()).map_err(failed)
}

const TERMINAL: &str = "/dev/tty";

fn failed(source: impl Into<std::io::Error>) -> Stop {
    Error::file(Path::new(TERMINAL), source).into()
}

fn nothing_typed() -> Stop {
    Stop::failed(ErrorKind::NoValue, "no value: the prompt was left without one", None)
}

fn not_one_line(why: &str) -> Stop {
    let hint = "put the value into a file and give --file, or pipe it and give -f -".to_owned();
    Stop::failed(ErrorKind::InvalidEncoding, format!("the value is not one line of text: {why}"), hint)
}

#[cfg(test)]
mod tests {
    use super::before_last_character;

    #[test]
    fn erasing_takes_a_whole_character() {
        let erased = |line: &[u8]| line[..before_last_character(line)].to_vec();
        assert_eq!(erased(b""), b"");
        assert_eq!(erased(b"ab"), b"a");
        assert_eq!(erased("aé".as_bytes()), b"a");
        assert_eq!(erased("a€".as_bytes()), b"a");
        assert_eq!(erased("a🔑".as_bytes()), b"a");
        // Latin-1 and stray continuation bytes go one at a time.
        assert_eq!(erased(b"a\xe9"), b"a");
        assert_eq!(erased(b"a\x80\x80"), b"a\x80");
    }
}
