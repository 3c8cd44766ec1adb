//! `secretkit list`, and `ls`.

mod query;

use std::io::{BufWriter, IsTerminal, Write};

use secretkit::{Clock, Error, SystemClock};

use super::{Session, json};
use crate::arguments::List;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::json::SecretObject;
use crate::table::{Colours, Hides, Layout, Row};
use crate::terminal;
use query::{Query, Rows};

pub(super) fn run(session: &Session, arguments: &List) -> Result<(), Stop> {
    let query = Query::new(session, arguments, SystemClock.now())?;
    let secrets = session.existing()?;
    let mut pages = query.pages(&secrets);
    let first = pages.next().transpose()?.unwrap_or_default();
    if first.is_empty() {
        session.console.notice(&query.nothing());
    }
    let pages = Box::new(std::iter::once(Ok(first)).chain(pages));
    match session.console.format {
        Format::Json => print_array(console::standard_output()?, pages),
        Format::Table => print_table(pages, query.hides()),
    }
}

fn print_table(pages: Rows<'_>, hides: Hides) -> Result<(), Stop> {
    let output = console::standard_output()?;
    let columns = output.is_terminal().then(|| terminal::columns(&output)).flatten();
    let colours = if console::colours(&output) { Colours::Yes } else { Colours::No };
    let now = SystemClock.now();
    let mut output = BufWriter::new(output);
    let mut layout = None;
    for page in pages {
        let page = page?;
        if layout.is_none() {
            let new = Layout::new(&page, columns, hides, colours, now);
            new.print_headings(&mut output).map_err(Stop::output)?;
            layout = Some(new);
        }
        let Some(layout) = &layout else { continue };
        for row in &page {
            layout.print(&mut output, row).map_err(Stop::output)?;
        }
    }
    output.flush().map_err(Stop::output)
}

/// One object on each line, so that a listing can also be read line by line. One that fails on its way is closed too:
/// what is printed is JSON, and the exit code says that it is not all.
fn print_array(output: impl Write, pages: impl Iterator<Item = Result<Vec<Row>, Error>>) -> Result<(), Stop> {
    let mut output = BufWriter::new(output);
    let mut separator = "[\n";
    let mut outcome = Ok(());
    for page in pages {
        match page {
            Ok(page) => {
                for row in page {
                    let json = json(&SecretObject::from(&row))?;
                    write!(output, "{separator}{json}").map_err(Stop::output)?;
                    separator = ",\n";
                }
            }
            Err(error) => {
                outcome = Err(error.into());
                break;
            }
        }
    }
    let end = if separator == "[\n" { "[]\n" } else { "\n]\n" };
    output.write_all(end.as_bytes()).and_then(|()| output.flush()).map_err(Stop::output)?;
    outcome
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "here a panic is the report")]
mod tests {
    use secretkit::{ErrorKind, PutMode, SecretValue, Settings};

    use super::*;

    #[test]
    fn an_array_that_fails_on_its_way_is_closed() {
        let mut settings = Settings::default();
        settings.store = Some("memory:".parse().unwrap());
        let (secrets, _) = settings.open_or_create().unwrap();
        let put = |name: &str| {
            let id = format!("acme:{name}").parse().unwrap();
            Row::from(secrets.put(&id, &SecretValue::copied_from(b"x"), PutMode::Create).unwrap())
        };
        for (first, count) in [(vec![put("a"), put("b")], 2), (vec![], 0)] {
            let failing = [Ok(first), Err(Error::Unsupported("a page".to_owned())), Ok(vec![])];
            let mut printed = Vec::new();
            let stop = print_array(&mut printed, failing.into_iter()).unwrap_err();
            assert!(matches!(stop, Stop::Failed(failure) if failure.kind == ErrorKind::Unsupported));
            let array: Vec<serde_json::Value> = serde_json::from_slice(&printed).unwrap();
            assert_eq!(array.len(), count);
        }
    }
}
