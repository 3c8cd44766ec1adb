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
        let hint = "give it without --scope, --workspace, --project and --domain; --org goes with it".to_owned();
        return Err(Stop::usage("--all is everywhere in the org, and a scope in it is named too", hint));
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
        Format::Json => print_array(console::standard_output()?, pages),
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

/// One object on each line, so that a listing can also be read line by line. One that fails on its way is closed too:
/// what is printed is JSON, and the exit code says that it is not all.
fn print_array(output: impl Write, pages: impl Iterator<Item = Result<Vec<SecretInfo>, Error>>) -> Result<(), Stop> {
    let mut output = BufWriter::new(output);
    let mut separator = "[\n";
    let mut outcome = Ok(());
    for page in pages {
        match page {
            Ok(page) => {
                for info in page {
                    write!(output, "{separator}{}", json(&info)?).map_err(Stop::output)?;
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
            secrets.put(&id, &SecretValue::copied_from(b"x"), PutMode::Create).unwrap()
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
