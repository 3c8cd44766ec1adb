//! What the options say about a secret's metadata, understood and checked before anything is asked for or opened.

use std::ffi::OsString;

use secretkit::{
    Activity, Clock, Description, Error, Expiry, Fault, MetadataEdit, Setting, Span, SystemClock, Tags, Timestamp,
};

use crate::arguments::{MetadataArguments, RemovalArguments};
use crate::failure::Stop;
use crate::global;

impl MetadataArguments {
    /// The change that they describe.
    ///
    /// # Errors
    /// `invalid_metadata`, also for an expiry that has passed; `usage` for a number that is none.
    pub(crate) fn edit(&self) -> Result<MetadataEdit, Stop> {
        let Self { description, tags: labels, expires, inactive, keep } = self;
        let mut edit = MetadataEdit::default();
        if let Some(text) = description {
            let description = Description::parse(plain("description", text)?).map_err(Stop::from);
            edit.description = Setting::Set(description.map_err(|stop| stop.or_hint(NO_DESCRIPTION))?);
        }
        edit.add_tags = tags(labels)?;
        if let Some(text) = expires {
            edit.expires_at = Setting::Set(future(text)?);
        }
        if *inactive {
            edit.activity = Some(Activity::Inactive);
        }
        if let Some(text) = keep {
            edit.keep = Setting::Set(number(text)?);
        }
        Ok(edit)
    }
}

impl RemovalArguments {
    /// Adds to the change what is to be taken away.
    ///
    /// # Errors
    /// `invalid_metadata` for what can be no tag, `usage` for a tag that is both added and taken away.
    pub(crate) fn add_to(&self, edit: &mut MetadataEdit) -> Result<(), Stop> {
        let Self { no_description, untag, no_expires, active, keep_default } = self;
        if *no_description {
            edit.description = Setting::Clear;
        }
        edit.remove_tags = tags(untag)?;
        if edit.remove_tags.iter().any(|tag| edit.add_tags.contains(tag)) {
            return Err(Stop::usage("--tag and --untag name the same tag", None));
        }
        if *no_expires {
            edit.expires_at = Setting::Clear;
        }
        if *active {
            edit.activity = Some(Activity::Active);
        }
        if *keep_default {
            edit.keep = Setting::Clear;
        }
        Ok(())
    }
}

/// Tags, each once.
///
/// # Errors
/// `invalid_metadata`.
pub(crate) fn tags(arguments: &[OsString]) -> Result<Tags, Stop> {
    let texts = arguments.iter().map(|argument| plain("tag", argument)).collect::<Result<Vec<_>, _>>()?;
    Ok(Tags::parse(texts)?)
}

/// A length of time.
///
/// # Errors
/// `invalid_metadata`, which says what to write.
pub(crate) fn span(argument: &OsString) -> Result<Span, Stop> {
    Ok(plain("span", argument)?.parse()?)
}

/// An argument as text.
///
/// # Errors
/// `invalid_metadata` where it is none.
pub(crate) fn plain<'a>(field: &'static str, argument: &'a OsString) -> Result<&'a str, Error> {
    global::text(argument).map_err(|fault| Error::InvalidMetadata { field, fault })
}

fn future(argument: &OsString) -> Result<Timestamp, Stop> {
    let now = SystemClock.now();
    let at = plain("expiry", argument)?.parse::<Expiry>()?.at(now)?;
    if at <= now {
        let fault = Fault::Shape("it has passed already; to switch a secret off, give --inactive");
        return Err(Error::InvalidMetadata { field: "expiry", fault }.into());
    }
    Ok(at)
}

/// How many superseded values to keep.
///
/// # Errors
/// `usage`.
pub(crate) fn number(argument: &OsString) -> Result<u32, Stop> {
    let number = argument.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Stop::usage("--keep takes a number: how many superseded values to keep, from 0 on", None))
}

const NO_DESCRIPTION: &str = "to take a description away, run: secretkit update NAME --no-description";
