//! Measuring in another process: another interpreter, or a program that cannot be linked into this one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Result;

/// A process that answers each line `OPERATION TIMES` with the nanoseconds that it took. It says `ready` first.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take().ok_or("it has no output")?);
        let mut worker = Self { child, requests, answers: BufReader::new(answers) };
        match worker.answer()?.as_str() {
            "ready" => Ok(worker),
            other => Err(format!("a worker began with {other:?}").into()),
        }
    }

    /// How long `times` of this operation take there.
    pub(crate) fn measure(&mut self, operation: &str, times: u32) -> Result<Duration> {
        let requests = self.requests.as_mut().ok_or("it has ended")?;
        writeln!(requests, "{operation} {times}")?;
        requests.flush()?;
        Ok(Duration::from_nanos(self.answer()?.parse()?))
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("a worker ended early; what it said is above".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// It ends when nobody asks any more.
impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}
