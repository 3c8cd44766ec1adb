//! How a worker talks: it says `ready`, then answers each line `OPERATION TIMES` with the nanoseconds that it took.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Duration;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Answers until nobody asks any more. `run` does what the worker is for, so often.
pub fn serve(operation: &str, mut run: impl FnMut(u32) -> Result<Duration>) -> Result<()> {
    let mut answers = std::io::stdout().lock();
    writeln!(answers, "ready")?;
    answers.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let times = match line.split_once(' ') {
            Some((asked, times)) if asked == operation => times.parse()?,
            _ => return Err(format!("this worker does {operation} only").into()),
        };
        writeln!(answers, "{}", run(times)?.as_nanos())?;
        answers.flush()?;
    }
    Ok(())
}
