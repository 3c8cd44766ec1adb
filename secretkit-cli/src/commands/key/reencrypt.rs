//! `secretkit key reencrypt`.

use std::io::Write;
use std::time::{Duration, Instant};

use secretkit::{Part, Secrets};
use serde::Serialize;

use super::count;
use crate::arguments::Reencrypt;
use crate::commands::Session;
use crate::commands::orgs::{Failures, is_erased};
use crate::console::{self, Format};
use crate::failure::Stop;
use crate::progress::Progress;
use crate::signals::Signals;

pub(super) fn run(session: &Session, arguments: &Reencrypt) -> Result<(), Stop> {
    let pace = Pace::new(arguments)?;
    let secrets = session.existing()?;
    let (mut done, mut failures) = (Vec::new(), Failures::default());
    for (org, _) in session.orgs(&secrets)? {
        let of_org = unless_erased(session, &secrets, &org, &pace);
        done.extend(failures.pass(session, &format_args!("org {org}"), of_org)?.flatten());
    }
    if session.console.format == Format::Json {
        let text = serde_json::to_string(&done).map_err(|error| Stop::output(error.into()))? + "\n";
        console::standard_output()?.write_all(text.as_bytes()).map_err(Stop::output)?;
    }
    failures.end()
}

fn unless_erased(session: &Session, secrets: &Secrets, org: &Part, pace: &Pace) -> Result<Option<Done>, Stop> {
    if is_erased(&secrets.keys().status(org)?) {
        session.console.notice(&format!("org {org} is erased and has nothing to write anew"));
        return Ok(None);
    }
    one_org(session, secrets, org.clone(), pace).map(Some)
}

/// How much at a time, and how fast.
pub(super) struct Pace {
    batch: usize,
    rate: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Done {
    org: Part,
    checked: u64,
    rewritten: u64,
}

impl Done {
    /// What another round did.
    pub(super) const fn add(&mut self, round: &Self) {
        self.checked += round.checked;
        self.rewritten += round.rewritten;
    }
}

impl Pace {
    pub(super) fn new(arguments: &Reencrypt) -> Result<Self, Stop> {
        let rate = arguments.rate.as_ref().map(|rate| count(rate, "--rate")).transpose()?;
        let batch = count(&arguments.batch, "--batch")?;
        if batch > 1000 {
            return Err(Stop::usage("--batch takes 1000 at the most", None));
        }
        // No more at once than a second allows.
        let batch = rate.map_or(batch, |rate| batch.min(rate));
        Ok(Self { batch: usize::try_from(batch).unwrap_or(1), rate })
    }

    /// How long to wait until this many may have been written since then.
    fn ahead(&self, rewritten: u64, since: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let due = Duration::from_millis(rewritten.saturating_mul(1000) / u64::from(rate));
        due.saturating_sub(since.elapsed())
    }
}

pub(super) fn one_org(session: &Session, secrets: &Secrets, org: Part, pace: &Pace) -> Result<Done, Stop> {
    let total = usize::try_from(number_of_secrets(secrets, &org)?).ok();
    // What is under way is finished before a signal ends it; what was done stays done either way. Held back before the
    // progress begins: its thread is not to take them.
    let signals = Signals::hold_back().map_err(Stop::terminal)?;
    let progress = Progress::start(&session.console, &format!("writing org {org} anew"), total);
    let since = Instant::now();
    let mut last = secretkit::Progress::default();
    for step in secrets.keys().reencrypt(&org, pace.batch) {
        let step = step?;
        progress.advance(usize::try_from(step.checked - last.checked).unwrap_or_default());
        last = step;
        if let Some(signal) = signals.within(pace.ahead(last.rewritten, since)).map_err(Stop::terminal)? {
            drop(progress);
            session.console.notice(&format!(
                "stopped after {} of org {org}; nothing is lost, and to go on, run: secretkit key reencrypt --org {org}",
                secrets_in_words(last.rewritten)
            ));
            return Err(Stop::Signalled(signal));
        }
    }
    drop(progress);
    session.console.notice(&format!(
        "wrote {} of org {org} anew, of {}",
        secrets_in_words(last.rewritten),
        last.checked
    ));
    Ok(Done { org, checked: last.checked, rewritten: last.rewritten })
}

fn secrets_in_words(count: u64) -> String {
    match count {
        1 => "1 secret".to_owned(),
        count => format!("{count} secrets"),
    }
}

/// How many secrets an org has now.
pub(in crate::commands) fn number_of_secrets(secrets: &Secrets, org: &Part) -> Result<u64, Stop> {
    const PAGE: usize = 5000;
    let (mut count, mut after) = (0, None);
    loop {
        let ids = secrets.store().ids(org, after, PAGE)?;
        count += ids.len() as u64;
        after = ids.last().copied();
        if ids.len() < PAGE {
            return Ok(count);
        }
    }
}
