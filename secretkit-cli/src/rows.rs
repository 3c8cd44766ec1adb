//! A few rows that are all there before the first is printed: as a table for people, or as a JSON array.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::console::{self, Console, Format};
use crate::failure::Stop;
use crate::terminal;
use crate::visible;

/// What a row is, in both forms.
pub(crate) trait Row<const N: usize>: Serialize {
    /// The columns of the table.
    const COLUMNS: [Column; N];

    /// What stands in them.
    fn cells(&self) -> [String; N];
}

/// The heading of a column, and what may be cut where the terminal is too narrow.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// Never cut.
    Text(&'static str),
    /// RFC 3339, of which the time of day goes first.
    Date(&'static str),
    /// The end goes second.
    Digest(&'static str),
}

/// Prints rows on standard output, an object or a row on each line.
///
/// # Errors
/// Those of the output.
pub(crate) fn print<const N: usize, R: Row<N>>(console: &Console, rows: &[R]) -> Result<(), Stop> {
    let mut output = console::standard_output()?;
    let text = match console.format {
        Format::Json => array(rows)?,
        Format::Table => {
            let columns = output.is_terminal().then(|| terminal::columns(&output)).flatten();
            let cells: Vec<_> =
                rows.iter().map(|row| row.cells().map(|cell| visible::escaped(&cell).into_owned())).collect();
            let (bold, plain) = if console::colours(&output) { (BOLD, PLAIN) } else { ("", "") };
            let mut lines = lines(R::COLUMNS, cells, columns).into_iter();
            let headings = lines.next().unwrap_or_default();
            lines.fold(format!("{bold}{headings}{plain}\n"), |text, line| text + &line + "\n")
        }
    };
    output.write_all(text.as_bytes()).map_err(Stop::output)
}

const SHORTEST_DIGEST: usize = 13;
const DAY: usize = 10;
const GAP: usize = 2;
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

fn array(rows: &[impl Serialize]) -> Result<String, Stop> {
    let objects: Result<Vec<_>, _> = rows.iter().map(serde_json::to_string).collect();
    let objects = objects.map_err(|error| Stop::output(error.into()))?;
    Ok(if objects.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", objects.join(",\n")) })
}

/// The headings and the rows. Where there are too few columns, the time of day goes first and then the end of the
/// digest; nothing else is ever cut.
fn lines<const N: usize>(columns: [Column; N], mut rows: Vec<[String; N]>, terminal: Option<usize>) -> Vec<String> {
    let headings = columns.map(|column| match column {
        Column::Text(heading) | Column::Date(heading) | Column::Digest(heading) => heading.to_owned(),
    });
    rows.insert(0, headings);
    let too_wide = |rows: &[[String; N]]| {
        let width = widths(rows).iter().sum::<usize>() + GAP * N.saturating_sub(1);
        terminal.map_or(0, |terminal| width.saturating_sub(terminal))
    };
    for (at, column) in columns.iter().enumerate() {
        if matches!(column, Column::Date(_)) && too_wide(&rows) > 0 {
            rows.iter_mut().skip(1).for_each(|row| row[at].truncate(DAY));
        }
    }
    for (at, column) in columns.iter().enumerate() {
        let length = widths(&rows)[at].saturating_sub(too_wide(&rows)).max(SHORTEST_DIGEST);
        if matches!(column, Column::Digest(_)) {
            rows.iter_mut().skip(1).for_each(|row| row[at] = visible::cut(&row[at], length).into_owned());
        }
    }
    let widths = widths(&rows);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| padded_to(cell, width)).collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|at| rows.iter().map(|row| visible::width(&row[at])).max().unwrap_or_default())
}

/// By the columns that it takes, which are not its characters.
fn padded_to(cell: &str, width: usize) -> String {
    cell.to_owned() + &" ".repeat(width.saturating_sub(visible::width(cell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_cuts_the_time_of_day_and_then_the_digest() {
        let columns = [Column::Text("REVISION"), Column::Digest("DIGEST"), Column::Date("SET"), Column::Text("BY")];
        let row = ["1 (current)", &format!("{}=", "d".repeat(43)), "2026-11-21T04:15:36Z", "née"].map(str::to_owned);
        let whole = "1 (current)  ddddddddddddddddddddddddddddddddddddddddddd=  2026-11-21T04:15:36Z  née";
        let day = "1 (current)  ddddddddddddddddddddddddddddddddddddddddddd=  2026-11-21  née";
        let cut = "1 (current)  dddddddddddd…  2026-11-21  née";
        for (terminal, line) in [(None, whole), (Some(84), whole), (Some(83), day), (Some(43), cut), (Some(1), cut)] {
            assert_eq!(lines(columns, vec![row.clone()], terminal)[1], line, "{terminal:?}");
        }
        assert_eq!(lines(columns, vec![], Some(1)), ["REVISION  DIGEST  SET  BY"]);
    }
}
