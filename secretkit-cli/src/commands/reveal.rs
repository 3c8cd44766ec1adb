//! `secretkit reveal`.

use std::io::{IsTerminal, Write};

use secretkit::{Error, SecretRequest};

use super::{Named, Session, rollback};
use crate::arguments::Reveal;
use crate::console;
use crate::failure::Stop;

pub(super) fn run(session: &Session, arguments: &Reveal) -> Result<(), Stop> {
    let named = arguments.name.or_id(&arguments.id)?;
    let revision = arguments.revision.as_ref().map(rollback::revision).transpose()?;
    let secrets = session.existing()?;
    let resolved = match (named, revision) {
        (Named::Name(name), revision) if !arguments.exact => {
            let mut request = SecretRequest::new(name);
            request.revision = revision;
            secrets.resolve(&session.scope, &request)?
        }
        (named, Some(revision)) => secrets.get_revision(session.reference(named), revision)?,
        (named, None) => secrets.get(session.reference(named))?,
    };
    let mut output = console::standard_output()?;
    let for_eyes = output.is_terminal() && !arguments.raw;
    if for_eyes && !is_harmless(resolved.value.expose_secret()) {
        let error = Error::Undeliverable {
            what: resolved.info.address.to_string(),
            why: "it is no plain text, and its control bytes could drive the terminal",
        };
        return Err(Stop::from(error).or_hint("send it into a file or a pipe, or give --raw to print it all the same"));
    }
    session.console.notice(&format!("found {}, revision {}", resolved.info.address, resolved.revision));
    output.write_all(resolved.value.expose_secret()).map_err(Stop::output)?;
    if for_eyes {
        output.write_all(b"\n").map_err(Stop::output)?;
    }
    Ok(())
}

/// Text in which nothing but line ends and tabs moves the cursor.
pub(super) fn is_harmless(value: &[u8]) -> bool {
    std::str::from_utf8(value)
        .is_ok_and(|text| !text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')))
}
