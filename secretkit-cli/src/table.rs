//! A listing as lines of columns, as wide as their contents and the terminal want.

use std::io::Write;

use secretkit::{SecretInfo, Timestamp};

/// How wide each column is. Decided by the first page: a longer name further on moves its own line and no other.
pub(crate) struct Layout {
    name: usize,
    digest: usize,
    scope: usize,
    date: Date,
}

#[derive(Clone, Copy)]
enum Date {
    /// `2026-11-21T04:15:36Z`
    Second,
    /// `2026-11-21`
    Day,
}

/// Characters of a whole digest.
const DIGEST: usize = 44;
/// Characters of a digest that is cut: enough to tell two apart at a glance.
const SHORTEST_DIGEST: usize = 13;
const GAP: usize = 2;
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

impl Layout {
    /// For these rows in this many columns. Where there are too few, the time of day goes first and then the end of
    /// the digest; names and scopes are never cut. Nothing is cut where it does not go to a terminal.
    pub(crate) fn new(rows: &[SecretInfo], columns: Option<usize>) -> Self {
        let widest = |heading: &str, text: &dyn Fn(&SecretInfo) -> String| {
            rows.iter().map(|row| text(row).len()).fold(heading.len(), usize::max)
        };
        let name = widest("NAME", &|row| row.address.name().to_string());
        let scope = widest("SCOPE", &|row| row.address.scope().to_string());
        let whole = Self { name, digest: DIGEST, scope, date: Date::Second };
        let Some(columns) = columns else { return whole };
        if whole.width() <= columns {
            return whole;
        }
        let day = Self { date: Date::Day, ..whole };
        let too_much = day.width().saturating_sub(columns);
        Self { digest: DIGEST.saturating_sub(too_much).max(SHORTEST_DIGEST), ..day }
    }

    /// The line of headings.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn print_headings(&self, output: &mut dyn Write, colours: bool) -> std::io::Result<()> {
        let (bold, plain) = if colours { (BOLD, PLAIN) } else { ("", "") };
        output.write_all(bold.as_bytes())?;
        self.print_line(output, ["NAME", "DIGEST", "SCOPE", "DATE"], plain)
    }

    /// The line of one secret.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn print(&self, output: &mut dyn Write, row: &SecretInfo) -> std::io::Result<()> {
        let mut digest = row.digest.to_string();
        if self.digest < digest.len() {
            digest.truncate(self.digest - 1);
            digest.push('…');
        }
        let name = row.address.name().to_string();
        let scope = row.address.scope().to_string();
        self.print_line(output, [&name, &digest, &scope, &self.date.of(row.updated.at)], "")
    }

    fn print_line(&self, output: &mut dyn Write, cells: [&str; 4], end: &str) -> std::io::Result<()> {
        let [name, digest, scope, date] = cells;
        let (gap, Self { name: n, digest: d, scope: s, .. }) = (" ".repeat(GAP), self);
        writeln!(output, "{name:n$}{gap}{digest:d$}{gap}{scope:s$}{gap}{date}{end}")
    }

    const fn width(&self) -> usize {
        let date = match self.date {
            Date::Second => 20,
            Date::Day => 10,
        };
        self.name + self.digest + self.scope + date + 3 * GAP
    }
}

impl Date {
    fn of(self, time: Timestamp) -> String {
        let text = to_the_second(time);
        match (self, text.split_once('T')) {
            (Self::Day, Some((day, _))) => day.to_owned(),
            (Self::Second | Self::Day, _) => text,
        }
    }
}

/// RFC 3339 without the fraction.
pub(crate) fn to_the_second(time: Timestamp) -> String {
    let micros = time.as_micros();
    Timestamp::from_micros(micros.saturating_sub(micros.rem_euclid(1_000_000))).to_string()
}
