//! `secretkit verify-value`.

use std::io::Write;

use secretkit::{ErrorKind, SecretRef};
use serde_json::json;

use super::Session;
use crate::arguments::VerifyValue;
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::input::{self, End};

pub(super) fn run(session: &Session, arguments: VerifyValue) -> Result<(), Stop> {
    let VerifyValue { name, id, value } = arguments;
    let secret = session.reference(name.or_id(&id)?);
    let (value, end) = input::value_with_end(value, input::limit(&session.settings), &session.console)?;
    let matches = session.existing()?.verify_value(secret.clone(), &value)?;
    let answer = match (session.console.format, matches) {
        (Format::Json, matches) => format!("{}\n", json!({ "matches": matches })),
        (Format::Table, true) => "matches\n".to_owned(),
        (Format::Table, false) => String::new(),
    };
    console::standard_output()?.write_all(answer.as_bytes()).map_err(Stop::output)?;
    if matches { Ok(()) } else { Err(mismatch(&secret, end)) }
}

fn mismatch(secret: &SecretRef, end: End) -> Stop {
    let named = match secret {
        SecretRef::Address(address) => address.to_string(),
        SecretRef::Id(org, id) => format!("the secret with id {id} in org {org}"),
    };
    let hint = match end {
        End::Newline => {
            Some("what was given ends in a newline, which counts; to drop it, give --trim-newline".to_owned())
        }
        End::Plain => None,
    };
    Stop::failed(ErrorKind::Mismatch, format!("mismatch: this is not the current value of {named}"), hint)
}
