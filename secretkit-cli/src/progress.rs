//! How far something long has come, on one line of a terminal that is taken away at its end.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::console::{Console, Format, Quiet};
use crate::signals;
use crate::terminal;
use crate::visible;

/// What ends before this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is drawn.
const PACE: Duration = Duration::from_millis(200);

/// To the beginning of the line, which is wiped.
const ERASE: &str = "\r\u{1b}[K";

/// Whether a line stands on the terminal. Whoever holds this has the terminal for themselves.
static IS_DRAWN: Mutex<bool> = Mutex::new(false);

/// Takes the line away, and keeps it away until what is returned is dropped: somebody is asked something.
pub(crate) fn stand_aside() -> MutexGuard<'static, bool> {
    let mut is_drawn = IS_DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *is_drawn) {
        // It has nothing to fail with.
        let _ = std::io::stderr().write_all(ERASE.as_bytes());
    }
    is_drawn
}

/// While it lives, a line tells how far something has come: from the second second on, on standard error, where that is
/// a terminal, and not where `--quiet` or JSON is wanted. Nobody else may write there meanwhile.
pub(crate) struct Progress {
    done: Arc<AtomicUsize>,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// What is done, in words of ours, and how many steps it takes where that is known.
    pub(crate) fn start(console: &Console, what: &str, total: Option<usize>) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let wanted = console.quiet == Quiet::No && console.format == Format::Table;
        let terminal = if wanted { error_terminal() } else { None };
        let drawing = terminal.and_then(|terminal| draw(terminal, what.to_owned(), Arc::clone(&done), total));
        Self { done, drawing }
    }

    /// So many steps more are done.
    pub(crate) fn advance(&self, steps: usize) {
        self.done.fetch_add(steps, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.drawing.take() {
            drop(end);
            // It has nothing to fail with.
            let _ = thread.join();
        }
    }
}

fn error_terminal() -> Option<File> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let terminal = std::io::stderr().as_fd().try_clone_to_owned().map(File::from).ok()?;
    (terminal.is_terminal() && !dumb).then_some(terminal)
}

/// In a thread of its own, which ends with the sender. Where there can be none, there is no line.
fn draw(
    mut terminal: File,
    what: String,
    done: Arc<AtomicUsize>,
    total: Option<usize>,
) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (sender, end) = mpsc::channel();
    let begun = Instant::now();
    let drawing = move || {
        let mut wait = PATIENCE;
        while end.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            wait = PACE;
            let Ok(mut is_drawn) = IS_DRAWN.try_lock() else { continue };
            let columns = terminal::columns(&terminal).unwrap_or(80);
            let line = line(&what, done.load(Ordering::Relaxed), total, begun.elapsed());
            let line = visible::cut(&line, columns.saturating_sub(1)).into_owned();
            *is_drawn |= terminal.write_all(format!("{ERASE}{line}").as_bytes()).is_ok();
        }
        drop(stand_aside());
    };
    // A signal that ends the command is for the thread that puts the terminal in order.
    let thread = signals::keeping_off(|| std::thread::Builder::new().spawn(drawing));
    Some((sender, thread.ok()?))
}

fn line(what: &str, done: usize, total: Option<usize>, since: Duration) -> String {
    const WIDTH: usize = 20;
    let seconds = since.as_secs();
    match total {
        Some(total) if total > 0 => {
            let done = done.min(total);
            let full = WIDTH * done / total;
            format!("{what} [{}{}] {done} of {total}, {seconds} s", "#".repeat(full), ".".repeat(WIDTH - full))
        }
        _ => format!("{what}, {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        let after = Duration::from_millis(2900);
        assert_eq!(line("reading", 5, Some(10), after), "reading [##########..........] 5 of 10, 2 s");
        assert_eq!(line("reading", 12, Some(10), after), "reading [####################] 10 of 10, 2 s");
        assert_eq!(line("importing", 0, None, after), "importing, 2 s");
        assert_eq!(line("importing", 0, Some(0), after), "importing, 2 s");
    }

    #[test]
    fn where_nobody_looks_nothing_is_drawn() {
        let console = Console { format: Format::Json, quiet: Quiet::No };
        let progress = Progress::start(&console, "reading", Some(2));
        progress.advance(1);
        assert!(progress.drawing.is_none());
    }
}
