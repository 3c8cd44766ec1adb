//! One call of a store, from its begin to its outcome.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use secretkit_core::{Part, Result};
use tracing::{Level, field, span, warn};

const CALLS: &str = "secretkit_store_calls_total";
const SECONDS: &str = "secretkit_store_call_seconds";
const ITEMS: &str = "secretkit_store_items_total";

/// Tells the installed recorder what the names mean. Call it once, after the recorder is installed.
pub fn describe() {
    describe_counter!(CALLS, Unit::Count, "Calls of a secret store, by call and outcome");
    describe_histogram!(SECONDS, Unit::Seconds, "How long calls of a secret store took");
    describe_counter!(ITEMS, Unit::Count, "Secrets asked for and changes committed");
}

/// Makes a call and tells of it.
pub(crate) fn observed<T>(call: &'static str, org: Option<&Part>, make: impl FnOnce() -> Result<T>) -> Result<T> {
    told(call, org, make, |result| result.is_ok().then_some("ok"))
}

/// As [`observed`], where what is no failure has more than one name.
pub(crate) fn told<T>(
    call: &'static str,
    org: Option<&Part>,
    make: impl FnOnce() -> Result<T>,
    name: impl FnOnce(&Result<T>) -> Option<&'static str>,
) -> Result<T> {
    let span = span!(Level::DEBUG, "secretkit.store", call, org = org.map(Part::as_str), outcome = field::Empty);
    let _entered = span.enter();
    let begun = Instant::now();
    let result = make();
    let took = begun.elapsed();
    let outcome = match (name(&result), &result) {
        (Some(name), _) => name,
        (None, Ok(_)) => "ok",
        (None, Err(error)) => {
            let kind = error.kind().as_str();
            // The kind alone: the text of an error names secrets.
            warn!(call, org = org.map(Part::as_str), kind, "a call of the secret store failed");
            kind
        }
    };
    span.record("outcome", outcome);
    counter!(CALLS, "call" => call, "outcome" => outcome).increment(1);
    histogram!(SECONDS, "call" => call).record(took.as_secs_f64());
    result
}

/// Counts what a call is about, where that is more than one thing.
pub(crate) fn items(call: &'static str, number: usize) {
    counter!(ITEMS, "call" => call).increment(number as u64);
}
