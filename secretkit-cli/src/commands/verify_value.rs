//! `secretkit verify-value`.

use std::io::Write;

use secretkit::{ErrorKind, SecretRef};
use serde_json::json;

use super::Session;
use crate::arguments::VerifyValue;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::input;

pub(super) fn run(session: &Session, arguments: VerifyValue) -> Result<(), Stop> {
    let VerifyValue { name, id, value } = arguments;
    let secret = session.reference(name.or_id(&id)?);
    let value = input::value(value, &session.console)?;
    let matches = session.settings.open_existing()?.verify_value(secret.clone(), &value)?;
    let answer = match (session.console.format, matches) {
        (Format::Json, matches) => format!("{}\n", json!({ "matches": matches })),
        (Format::Table, true) => "matches\n".to_owned(),
        (Format::Table, false) => String::new(),
    };
    console::standard_output()?.write_all(answer.as_bytes()).map_err(Stop::output)?;
    if matches { Ok(()) } else { Err(mismatch(&secret)) }
}

fn mismatch(secret: &SecretRef) -> Stop {
    let named = match secret {
        SecretRef::Address(address) => address.to_string(),
        SecretRef::Id(org, id) => format!("the secret with id {id} in org {org}"),
    };
    Stop::failed(ErrorKind::Mismatch, format!("mismatch: this is not the current value of {named}"), None)
}
