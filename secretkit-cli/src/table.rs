//! A listing as lines of columns, as wide as their contents and the terminal want.

use std::borrow::Cow;
use std::io::Write;

use secretkit::{Effective, SecretInfo, Timestamp};

use crate::times::{State, day, to_the_second};
use crate::visible;

/// A secret, and where the listing tells it, the ones that it hides.
pub(crate) struct Row {
    pub(crate) info: SecretInfo,
    pub(crate) hides: Option<Vec<SecretInfo>>,
}

impl From<SecretInfo> for Row {
    fn from(info: SecretInfo) -> Self {
        Self { info, hides: None }
    }
}

impl From<Effective> for Row {
    fn from(Effective { info, hides, .. }: Effective) -> Self {
        Self { info, hides: Some(hides) }
    }
}

/// How wide each column is; 0 is one that is left out. Decided by the first page: a longer name further on moves its
/// own line and no other.
pub(crate) struct Layout {
    widths: [usize; COLUMNS],
    /// Whether what does not fit is cut.
    cut: bool,
    colours: Colours,
    now: Timestamp,
}

/// Whether to colour what is printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Colours {
    Yes,
    No,
}

/// Which listing it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Hides {
    /// Its rows tell what they hide.
    Shown,
    /// There is nothing to tell.
    Not,
}

const COLUMNS: usize = 8;
const HEADINGS: [&str; COLUMNS] = ["NAME", "DIGEST", "SCOPE", "DATE", "STATE", "HIDES", "TAGS", "DESCRIPTION"];
const DIGEST: usize = 1;
const DATE: usize = 3;
const STATE: usize = 4;
const HIDES: usize = 5;
const TAGS: usize = 6;
const DESCRIPTION: usize = 7;

/// Characters of a whole digest.
const WHOLE_DIGEST: usize = 44;
/// Characters of a digest that is cut: enough to tell two apart at a glance.
const SHORTEST_DIGEST: usize = 13;
/// Characters of a date without the time of day.
const DAY: usize = 10;
const GAP: usize = 2;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";

impl Layout {
    /// For these rows in this many columns. Names, scopes and states are never cut, and nothing is where it does not
    /// go to a terminal.
    pub(crate) fn new(rows: &[Row], columns: Option<usize>, hides: Hides, colours: Colours, now: Timestamp) -> Self {
        let mut widths = HEADINGS.map(str::len);
        widths[DIGEST] = WHOLE_DIGEST;
        let mut filled = [false; COLUMNS];
        for row in rows {
            for (column, cell) in cells(row, now).iter().enumerate() {
                widths[column] = widths[column].max(visible::width(cell));
                filled[column] |= !cell.is_empty();
            }
        }
        if hides == Hides::Not {
            widths[HIDES] = 0;
        }
        if let Some(columns) = columns {
            for column in [TAGS, DESCRIPTION].into_iter().filter(|&column| !filled[column]) {
                widths[column] = 0;
            }
            fit(&mut widths, columns);
        }
        Self { widths, cut: columns.is_some(), colours, now }
    }

    /// The line of headings.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn print_headings(&self, output: &mut dyn Write) -> std::io::Result<()> {
        let line = self.line(&HEADINGS.map(Cow::Borrowed), None);
        match self.colours {
            Colours::Yes => writeln!(output, "{BOLD}{line}{PLAIN}"),
            Colours::No => writeln!(output, "{line}"),
        }
    }

    /// The line of one secret.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn print(&self, output: &mut dyn Write, row: &Row) -> std::io::Result<()> {
        let mut cells = cells(row, self.now).map(Cow::Owned);
        if self.widths[DATE] == DAY {
            cells[DATE] = day(row.info.updated.at).into();
        }
        if self.cut {
            for column in [DIGEST, TAGS, DESCRIPTION] {
                cells[column] = visible::cut(&cells[column], self.widths[column]).into_owned().into();
            }
        }
        let colour = colour(State::of(&row.info, self.now), self.now).filter(|_| self.colours == Colours::Yes);
        writeln!(output, "{}", self.line(&cells, colour))
    }

    /// The cells side by side, without blanks at the end, and the state in this colour.
    fn line(&self, cells: &[Cow<'_, str>; COLUMNS], colour: Option<&str>) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for (column, width) in self.widths.iter().enumerate().filter(|(_, width)| **width > 0) {
            let cell = &*cells[column];
            if !cell.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                match colour.filter(|_| column == STATE) {
                    Some(colour) => line.extend([colour, cell, PLAIN]),
                    None => line.push_str(cell),
                }
                owed = 0;
            }
            owed += width.saturating_sub(visible::width(cell)) + GAP;
        }
        line
    }
}

/// What stands in each column, harmless to a terminal.
fn cells(row: &Row, now: Timestamp) -> [String; COLUMNS] {
    let Row { info, hides } = row;
    let hides: Vec<_> = hides.iter().flatten().map(|info| info.address.scope().to_string()).collect();
    let tags: Vec<_> = info.metadata.tags.iter().collect();
    let description = info.metadata.description.as_ref().map_or("", |text| text.as_str());
    [
        info.address.name().to_string(),
        info.digest.to_string(),
        info.address.scope().to_string(),
        to_the_second(info.updated.at),
        State::of(info, now).brief(),
        hides.join(", "),
        visible::escaped(&tags.join(", ")).into_owned(),
        visible::escaped(description).into_owned(),
    ]
}

/// Makes the columns fit, as far as they can. The time of day goes first, then the end of a long description, then the
/// end of the digest, then more of the description and the tags, and at last all of them.
fn fit(widths: &mut [usize; COLUMNS], columns: usize) {
    let too_much = |widths: &[usize; COLUMNS]| total(widths).saturating_sub(columns);
    if too_much(widths) > 0 {
        widths[DATE] = DAY;
    }
    for (column, least) in [(DESCRIPTION, 24), (DIGEST, SHORTEST_DIGEST), (DESCRIPTION, 12), (TAGS, 8)] {
        let shorter = widths[column].saturating_sub(too_much(widths));
        widths[column] = widths[column].min(shorter.max(least));
    }
    for column in [DESCRIPTION, TAGS] {
        if too_much(widths) > 0 {
            widths[column] = 0;
        }
    }
    let left = columns.saturating_sub(total(widths));
    widths[DIGEST] = WHOLE_DIGEST.min(widths[DIGEST] + left);
}

fn total(widths: &[usize; COLUMNS]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

fn colour(state: State, now: Timestamp) -> Option<&'static str> {
    match state {
        State::Expired(_) | State::Inactive(_) => Some(RED),
        State::Until(_) if state.ends_soon(now) => Some(YELLOW),
        State::Until(_) | State::Active => None,
    }
}
