//! `secretkit render`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use secretkit::{Error, SecretName, SecretRequest, SecretValue};
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
    } else {
        let values = values(session, &template)?;
        template.render(|name| values.get(name))?
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

/// All that the template asks for, from one snapshot.
fn values(session: &Session, template: &Template) -> Result<BTreeMap<SecretName, SecretValue>, Stop> {
    let requests: Vec<_> = template.names().cloned().map(SecretRequest::new).collect();
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let secrets = session.settings.open_existing()?;
    let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
    for (request, resolved) in requests.iter().zip(secrets.resolve_many(&session.scope, &requests)?) {
        match resolved {
            Ok(resolved) => drop(values.insert(request.name.clone(), resolved.value)),
            Err(Error::NotFound { name, searched }) => missing.push((name, searched)),
            Err(error) => return Err(Stop::from(error).or_hint(&place(template, [&request.name]))),
        }
    }
    if missing.is_empty() {
        return Ok(values);
    }
    let hint = place(template, missing.iter().map(|(name, _)| name));
    Err(Stop::from(Error::SeveralNotFound { missing }).or_hint(&hint))
}

/// Where the template names these.
fn place<'a>(template: &Template, names: impl IntoIterator<Item = &'a SecretName>) -> String {
    let line = |name: &SecretName| match template.line_of(name) {
        Some(line) => format!("line {line} names {name}"),
        None => format!("it names {name}"),
    };
    let lines: Vec<_> = names.into_iter().map(line).collect();
    format!("in the template, {}", lines.join(", "))
}
