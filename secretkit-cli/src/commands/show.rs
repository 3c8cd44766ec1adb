//! `secretkit show`, and `view`.

use std::io::Write;

use secretkit::SecretId;

use super::{Named, Session, print_json};
use crate::arguments::Show;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::table::to_the_second;

pub(super) fn run(session: &Session, arguments: &Show) -> Result<(), Stop> {
    let named = arguments.name.or_id(&arguments.id)?;
    let secrets = session.settings.open_existing()?;
    let info = match named {
        Named::Name(name) => secrets.info(&SecretId::new(session.scope.clone(), name))?,
        Named::Id(id) => secrets.info((session.scope.org(), id))?,
    };
    let mut output = console::standard_output()?;
    if session.console.format == Format::Json {
        return print_json(&mut output, &info);
    }
    let lines = [
        ("NAME", info.address.name().to_string()),
        ("SCOPE", info.address.scope().to_string()),
        ("ID", info.id.to_string()),
        ("REVISION", info.revision.to_string()),
        ("GENERATION", info.generation.to_string()),
        ("DIGEST", info.digest.to_string()),
        ("CREATED", format!("{} by {}", to_the_second(info.created.at), info.created.by)),
        ("UPDATED", format!("{} by {}", to_the_second(info.updated.at), info.updated.by)),
    ];
    let text: String = lines.iter().map(|(key, value)| format!("{key:10}  {value}\n")).collect();
    output.write_all(text.as_bytes()).map_err(Stop::output)
}
