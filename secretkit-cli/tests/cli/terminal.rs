//! A real pseudo-terminal with a person at it.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, Winsize};

use crate::sandbox::Sandbox;

/// One command at a terminal of 80 columns that echoes what is typed.
pub(crate) struct Terminal {
    session: PtySession,
    screen: String,
}

/// A shell that waits until the terminal is as it should be, runs the command, which leaves its process id, and stays
/// until it has been looked at.
const SCRIPT: &str = r#"printf ready; read go
sh -c 'echo $$ >../pid; exec "$@"' sh "$@"
printf '<exit %s>' "$?"; read end"#;

impl Terminal {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start_with(sandbox, arguments, &[])
    }

    pub(crate) fn start_with(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("/bin/sh");
        sandbox.isolate(&mut command);
        command.env("TERM", "xterm").envs(variables.iter().copied());
        command.args(["-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_secretkit")]).args(arguments);
        let mut session = spawn_command(command, Some(60_000)).unwrap();
        session.exp_string("ready").unwrap();
        let mut terminal = Self { session, screen: String::new() };
        let mut modes = terminal.modes();
        modes.local_modes |= LocalModes::ECHO;
        let handle = terminal.session.process().get_file_handle().unwrap();
        rustix::termios::tcsetattr(&handle, OptionalActions::Now, &modes).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&handle, size).unwrap();
        // The control of every test that says "not echoed": this line is.
        terminal.type_line("go-and-be-echoed");
        terminal.expect("go-and-be-echoed\r\n");
        terminal.screen.clear();
        terminal
    }

    /// Types something and presses Enter.
    pub(crate) fn type_line(&mut self, text: &str) {
        self.type_keys(&format!("{text}\r"));
    }

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.screen.push_str(&before);
                self.screen.push_str(text);
            }
            Err(error) => panic!("no {text:?} on the screen: {error}"),
        }
    }

    /// Sends the command a signal.
    pub(crate) fn signal(&self, sandbox: &Sandbox, signal: Signal) {
        let pid = std::fs::read_to_string(sandbox.path("pid")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end: the exit code, and all that was on the screen.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (i32, String) {
        let (before, code) = match self.session.exp_regex("<exit [0-9]+>") {
            Ok(found) => found,
            Err(error) => panic!("it did not end: {error}"),
        };
        self.screen.push_str(&before);
        let modes = self.modes();
        let usual = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        assert!(modes.local_modes.contains(usual), "the terminal is not as it was before");
        self.type_line("end");
        assert!(self.session.process().wait().is_ok());
        let code = code.trim_start_matches("<exit ").trim_end_matches('>').parse().unwrap();
        // The session takes each byte for a character of its own.
        let bytes: Vec<u8> = self.screen.chars().map(|byte| u8::try_from(byte).unwrap()).collect();
        (code, String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
    }

    fn modes(&self) -> Termios {
        rustix::termios::tcgetattr(self.session.process().get_file_handle().unwrap()).unwrap()
    }
}
