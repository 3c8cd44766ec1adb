//! `secretkit list`, and `ls`.

use std::io::{BufWriter, IsTerminal, Write};

use secretkit::store::Within;
use secretkit::{Error, SecretInfo};

use super::{Session, json};
use crate::arguments::List;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::table::Layout;
use crate::terminal;

/// How many secrets are read and printed at a time: a listing of any length takes the same memory.
const PAGE: usize = 500;

pub(super) fn run(session: &Session, arguments: &List) -> Result<(), Stop> {
    if arguments.all && session.global.names_project_or_domain() {
        return Err(Stop::usage("--all is everywhere in the org; give no project and no domain beside it", None));
    }
    let scope = &session.scope;
    let exactly = session.global.names_whole_scope() || scope.project().is_some() || scope.domain().is_some();
    let (within, place) = if exactly && !arguments.all {
        (Within::Exactly(scope.clone()), scope.to_string())
    } else {
        (Within::Org(scope.org().clone()), format!("org {}", scope.org()))
    };
    let secrets = session.settings.open_existing()?;
    let mut pages = secrets.list(within, PAGE);
    let first = pages.next().transpose()?.unwrap_or_default();
    if first.is_empty() {
        session.console.notice(&format!("there are no secrets in {place}"));
    }
    let pages = std::iter::once(Ok(first)).chain(pages);
    match session.console.format {
        Format::Json => print_array(pages),
        Format::Table => print_table(pages),
    }
}

fn print_table(pages: impl Iterator<Item = Result<Vec<SecretInfo>, Error>>) -> Result<(), Stop> {
    let output = console::standard_output()?;
    let columns = output.is_terminal().then(|| terminal::columns(&output)).flatten();
    let colours = console::colours(&output);
    let mut output = BufWriter::new(output);
    let mut layout = None;
    for page in pages {
        let page = page?;
        if layout.is_none() {
            let new = Layout::new(&page, columns);
            new.print_headings(&mut output, colours).map_err(Stop::output)?;
            layout = Some(new);
        }
        let Some(layout) = &layout else { continue };
        for info in &page {
            layout.print(&mut output, info).map_err(Stop::output)?;
        }
    }
    output.flush().map_err(Stop::output)
}

/// One object on each line, so that a listing can also be read line by line.
fn print_array(pages: impl Iterator<Item = Result<Vec<SecretInfo>, Error>>) -> Result<(), Stop> {
    let mut output = BufWriter::new(console::standard_output()?);
    let mut separator = "[\n";
    for page in pages {
        for info in page? {
            write!(output, "{separator}{}", json(&info)?).map_err(Stop::output)?;
            separator = ",\n";
        }
    }
    let end = if separator == "[\n" { "[]\n" } else { "\n]\n" };
    output.write_all(end.as_bytes()).and_then(|()| output.flush()).map_err(Stop::output)
}
