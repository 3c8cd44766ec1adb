//! The table.

use std::fmt;

use crate::measure::Pair;

/// What ours may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most so many times the baseline.
    Times(f64),
    /// At least so many times the baseline's rate.
    Rate(f64),
    /// At most so many milliseconds, whatever the baseline takes.
    Millis(f64),
    /// At most so many milliseconds more.
    MoreMillis(f64),
    /// At most so many megabytes more.
    MoreMegabytes(f64),
    /// Shown for itself.
    None,
}

/// All rows, and what is to be said of them.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<[String; 6]>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let heads = ["operation", "baseline", "ours", "ratio", "at most", "verdict"];
        Self { rows: vec![heads.map(str::to_owned)], notes: Vec::new() }
    }

    /// A row of times.
    pub(crate) fn times(&mut self, operation: &str, against: &str, pair: Pair, target: Target) {
        let Pair { baseline, ours } = pair;
        let by = match target {
            Target::MoreMillis(_) => format!("+{:.1} ms", (ours - baseline) / 1e6),
            Target::Rate(_) => format!("{:.2} x the rate", baseline / ours),
            _ => format!("{:.2} x", ours / baseline),
        };
        let met = match target {
            Target::Times(most) => ours <= baseline * most,
            Target::Rate(least) => baseline >= ours * least,
            Target::Millis(most) => ours <= most * 1e6,
            Target::MoreMillis(most) => ours <= most.mul_add(1e6, baseline),
            Target::MoreMegabytes(_) | Target::None => true,
        };
        self.push(operation, format!("{against} {}", time(baseline)), time(ours), by, target, met);
    }

    /// A row of resident memory, in bytes.
    pub(crate) fn memory(&mut self, operation: &str, against: &str, baseline: f64, ours: f64, target: Target) {
        let megabytes = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
        let more = ours - baseline;
        let met = !matches!(target, Target::MoreMegabytes(most) if more > most * 1e6);
        let more = format!("+{}", megabytes(more.max(0.0)));
        self.push(operation, format!("{against} {}", megabytes(baseline)), megabytes(ours), more, target, met);
    }

    /// A row without a baseline.
    pub(crate) fn alone(&mut self, operation: &str, why: &str, ours: f64) {
        self.push(operation, why.to_owned(), time(ours), String::new(), Target::None, true);
    }

    /// Something to be said under the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn push(&mut self, operation: &str, baseline: String, ours: String, by: String, target: Target, met: bool) {
        let (most, verdict) = match target {
            Target::Times(most) => (format!("{most} x"), met),
            Target::Rate(least) => (format!("at least {least} x"), met),
            Target::Millis(most) => (format!("{most} ms"), met),
            Target::MoreMillis(most) => (format!("+{most} ms"), met),
            Target::MoreMegabytes(most) => (format!("+{most} MB"), met),
            Target::None => (String::new(), met),
        };
        let verdict = match (target, verdict) {
            (Target::None, _) => "",
            (_, true) => "met",
            (_, false) => "missed",
        };
        let row = [operation.to_owned(), baseline, ours, by, most, verdict.to_owned()];
        progress(&row);
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (number, row) in self.rows.iter().enumerate() {
            let line = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                0 | 1 | 5 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "{}", line.collect::<Vec<_>>().join("  ").trim_end())?;
            if number == 0 {
                writeln!(f, "{}", widths.map(|width| "-".repeat(width)).join("  "))?;
            }
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

/// A run takes minutes, so each row shows when it is done.
#[expect(clippy::print_stderr, reason = "progress is for whoever waits, the table for whoever reads")]
fn progress(row: &[String; 6]) {
    eprintln!("  {}: {} {}", row[0], row[3], row[5]);
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.0} ns"),
        ..1e6 => format!("{:.2} us", nanoseconds / 1e3),
        ..1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}
