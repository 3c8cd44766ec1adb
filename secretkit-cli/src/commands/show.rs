//! `secretkit show`, and `view`.

use std::io::Write;

use secretkit::{Actor, ConsumerInfo, SecretInfo, Timestamp};

use super::{Session, json};
use crate::arguments::Show;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::json::SecretObject;
use crate::times::{self, State, to_the_second};
use crate::visible;

pub(super) fn run(session: &Session, arguments: &Show) -> Result<(), Stop> {
    let named = arguments.name.or_id(&arguments.id)?;
    let secrets = session.existing()?;
    let info = secrets.info(session.reference(named))?;
    let consumers = secrets.consumers((info.address.org(), info.id))?;
    let text = match session.console.format {
        Format::Json => json(&SecretObject::read(&info).used_by(&consumers))? + "\n",
        Format::Table => {
            let print = |(key, value): (&str, String)| format!("{key:11}  {}\n", visible::escaped(&value));
            lines(&info, &consumers, secrets.clock().now()).into_iter().map(print).collect()
        }
    };
    console::standard_output()?.write_all(text.as_bytes()).map_err(Stop::output)
}

/// What there is to say, by what it is called.
fn lines(info: &SecretInfo, consumers: &[ConsumerInfo], now: Timestamp) -> Vec<(&'static str, String)> {
    let by = |at, by: &Actor| format!("{} by {by}", to_the_second(at));
    let mut lines = vec![
        ("NAME", info.address.name().to_string()),
        ("SCOPE", info.address.scope().to_string()),
        ("ID", info.id.to_string()),
        ("REVISION", info.revision.to_string()),
        ("GENERATION", info.generation.to_string()),
        ("DIGEST", info.digest.to_string()),
        ("STATE", State::of(info, now).since()),
        ("EXPIRES", times::expiry(now, info.metadata.expires_at)),
    ];
    lines.extend(info.metadata.description.iter().map(|text| ("DESCRIPTION", text.as_str().to_owned())));
    let tags: Vec<_> = info.metadata.tags.iter().collect();
    if !tags.is_empty() {
        lines.push(("TAGS", tags.join(", ")));
    }
    let used = info.last_used().map_or_else(|| "no use is recorded".to_owned(), |used| by(used.at, &used.by));
    lines.extend([
        ("KEPT", kept(info)),
        ("CREATED", by(info.created.at, &info.created.by)),
        ("UPDATED", by(info.updated.at, &info.updated.by)),
        ("VALUE SET", by(info.valued.at, &info.valued.by)),
        ("LAST USED", used),
    ]);
    for (index, ConsumerInfo { name, seen, .. }) in consumers.iter().enumerate() {
        let key = if index == 0 { "USED BY" } else { "" };
        lines.push((key, format!("{name}, last seen {}", by(seen.at, &seen.by))));
    }
    lines
}

/// Which values are kept, and how many where the secret has its own rule.
fn kept(info: &SecretInfo) -> String {
    let revisions = match info.first_revision {
        first if first == info.revision => format!("revision {first}"),
        first => format!("revisions {first} to {}", info.revision),
    };
    match info.keep {
        None => revisions,
        Some(keep) => format!("{revisions}; at most {keep} superseded"),
    }
}
