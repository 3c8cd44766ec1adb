//! `secretkit render`.

use std::io::Write;
use std::path::Path;

use secretkit::{Error, SecretName, SecretValue};
use secretkit_exchange::{Existing, Template, read_file, write_file};

use super::Session;
use crate::arguments::Render;
use crate::console;
use crate::failure::Stop;

pub(super) fn run(session: &Session, arguments: &Render) -> Result<(), Stop> {
    let source = read_file(Path::new(&arguments.template))?;
    let Ok(source) = std::str::from_utf8(source.expose_secret()) else {
        return Err(Error::InvalidTemplate { line: 1, what: "it is not UTF-8".to_owned() }.into());
    };
    let template = Template::parse(source)?;
    let text = if arguments.dry_run {
        SecretValue::from(template.dry_run().into_bytes())
    } else if template.names().next().is_none() {
        template.render(|_| None)?
    } else {
        let secrets = session.existing()?;
        template.fill(&secrets, &session.scope).map_err(|error| told(&template, error))?
    };
    match &arguments.to {
        None => console::standard_output()?.write_all(text.expose_secret()).map_err(Stop::output),
        Some(path) => {
            // A hook runs again and again; what it rendered before is what is to be replaced.
            write_file(Path::new(path), &text, Existing::Replace)?;
            session.console.notice(&format!("wrote {}", Path::new(path).display()));
            Ok(())
        }
    }
}

/// With the lines that name the secrets in question.
fn told(template: &Template, error: Error) -> Stop {
    let names: Vec<&SecretName> = match &error {
        Error::SeveralNotFound { missing } => missing.iter().map(|(name, _)| name).collect(),
        Error::Inactive { id, .. } | Error::Expired { id, .. } => vec![id.name()],
        _ => return error.into(),
    };
    let line = |name: &&SecretName| match template.line_of(name) {
        Some(line) => format!("line {line} names {name}"),
        None => format!("it names {name}"),
    };
    let lines: Vec<_> = names.iter().map(line).collect();
    let hint = format!("in the template, {}", lines.join(", "));
    Stop::from(error).or_hint(&hint)
}
