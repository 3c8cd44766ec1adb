//! `secretkit store copy`.

mod report;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use secretkit::{Copied, CopyProgress, Error, ErrorKind, KeyUrl, Part, Secrets, Settings, StoreUrl};

use crate::arguments::CopyStore;
use crate::commands::Session;
use crate::commands::key::number_of_secrets;
use crate::commands::opened::Opened;
use crate::commands::orgs::is_erased;
use crate::failure::{Failure, Stop};
use crate::global;
use crate::passphrase::OfSource;
use crate::progress::Progress;
use crate::signals::Signals;

use report::Report;

pub(super) fn run(session: &Session, arguments: &CopyStore) -> Result<(), Stop> {
    let (from, to) = settings(session, arguments)?;
    let source = session.existing_of(&from).map_err(|error| Side::From.stop(error))?;
    let mut report = Report::default();
    let (mut orgs, mut erased) = (Vec::new(), Vec::new());
    for (org, _) in session.orgs(&source)? {
        // Opens its keys, too: where none opens, nothing is made.
        match source.keys().status(&org) {
            Ok(status) if is_erased(&status) => erased.push(org),
            Ok(_) => orgs.push(org),
            Err(error) => report.failed(&org, of_one_org(Side::From.stop(error))?),
        }
    }
    if orgs.is_empty()
        && let Some(failure) = report.take_failure()
    {
        return Err(Stop::Failed(failure));
    }
    let target = target(session, &to)?;
    refuse_itself(&source, &target)?;
    let there = target.keys().orgs().map_err(|error| Side::To.stop(error))?;
    let there: BTreeSet<_> = there.into_iter().map(|(org, _)| org).collect();
    for org in erased {
        match there.contains(&org) && !is_erased(&target.keys().status(&org).map_err(|error| Side::To.stop(error))?) {
            true => report.erased(&org),
            false => session.console.notice(&format!("org {org} is erased; there is nothing to copy")),
        }
    }
    let outcome: Result<(), Stop> = orgs.iter().try_for_each(|org| {
        let writable = if there.contains(org) { writable(&target, org) } else { Ok(()) };
        let copied = writable.and_then(|()| copy(session, &source, &target, org, &mut report));
        copied.or_else(|stop| {
            report.failed(org, of_one_org(stop)?);
            Ok(())
        })
    });
    report.print(session)?;
    outcome?;
    report.end(session)
}

/// What keeps one org from being copied need not keep the others from it; but for what each of them would meet.
fn of_one_org(stop: Stop) -> Result<Failure, Stop> {
    match stop {
        Stop::Failed(Failure { kind: ErrorKind::Unavailable | ErrorKind::ReadOnly | ErrorKind::Full, .. }) => Err(stop),
        Stop::Failed(failure) => Ok(failure),
        stop => Err(stop),
    }
}

/// One of the two stores.
#[derive(Clone, Copy)]
enum Side {
    From,
    To,
}

impl Side {
    /// An error of this store, with which of them it is.
    fn stop(self, error: impl Into<Stop>) -> Stop {
        let (option, keys) = match self {
            Self::From => (
                "--from",
                "the root key of the store of --from is named by --from-key or --from-key-file, and \
                is otherwise that of the store of --to",
            ),
            Self::To => ("--to", "the root key of the store of --to is named by --key or --key-file"),
        };
        match error.into() {
            // It names the file, and what to do.
            stop @ Stop::Failed(Failure { kind: ErrorKind::FileMissing, .. }) => stop,
            Stop::Failed(Failure { kind, message, hint }) => {
                let stop = Stop::failed(kind, format!("{option}: {message}"), hint);
                match kind {
                    ErrorKind::WrongRootKey => stop.or_hint(keys),
                    ErrorKind::UnsafeStore => stop.or_hint(ANCHOR),
                    _ => stop,
                }
            }
            stop => stop,
        }
    }
}

const ANCHOR: &str = "an anchor remembers one store, and in a copy that is the one of --to: give it another file with \
    --anchor, or none by an empty SECRETKIT_ANCHOR";

/// The store to write. Where it would be refused as soon as it is there, it is not made.
fn target(session: &Session, to: &Settings) -> Result<Opened, Stop> {
    if let Some(anchor) = to.anchor.as_ref().filter(|anchor| anchor.exists())
        && let Err(Error::NoStore { .. }) = to.open_existing()
    {
        let message = format!("--to: there is no store yet, and anchor {} belongs to another one", anchor.display());
        return Err(Stop::failed(ErrorKind::UnsafeStore, message, ANCHOR.to_owned()));
    }
    session.existing_or_new_of(to).map_err(|error| Side::To.stop(error))
}

/// Told once, and not of each org: no other of them could be copied either.
fn refuse_itself(source: &Secrets, target: &Secrets) -> Result<(), Stop> {
    if source.store().info()?.id != target.store().info()?.id {
        return Ok(());
    }
    let why = "a copy is made between two stores, and these are one, or one is a backup of the other";
    Err(Error::Unsupported(why.to_owned()).into())
}

/// Whether the keys of an org that the target has open, and are not destroyed.
fn writable(target: &Secrets, org: &Part) -> Result<(), Stop> {
    match is_erased(&target.keys().status(org).map_err(|error| Side::To.stop(error))?) {
        false => Ok(()),
        true => {
            let hint = "nothing can be stored in an org that was erased; copy it into another store".to_owned();
            Err(Stop::failed(ErrorKind::UnknownKey, "--to: its keys are destroyed there", hint))
        }
    }
}

/// The settings of both stores.
fn settings(session: &Session, arguments: &CopyStore) -> Result<(Settings, Settings), Stop> {
    let CopyStore { from, to, from_key, from_key_file, from_previous_key, from_org_key } = arguments;
    if session.global.store.is_some() {
        let hint = "leave --store out".to_owned();
        return Err(Stop::usage("the stores of a copy are named by --from and --to", hint));
    }
    let mut target = session.settings.clone();
    target.store = Some(store(to)?);
    let mut source = session.settings.clone();
    source.store = Some(store(from)?);
    let given = [from_key, from_key_file].iter().any(|key| key.is_some());
    if given || !from_previous_key.is_empty() || !from_org_key.is_empty() {
        source.key = match (from_key, from_key_file) {
            (Some(_), Some(_)) => {
                return Err(Stop::usage("--from-key and --from-key-file are both given; give one", None));
            }
            (Some(url), None) => Some(text(url, "root key")?.parse()?),
            (None, Some(path)) => Some(KeyUrl::file(path)?),
            (None, None) => source.key,
        };
        let previous = from_previous_key.iter().map(|url| Ok(text(url, "previous root key")?.parse()?));
        source.previous_keys = previous.collect::<Result<_, Stop>>()?;
        let own = from_org_key.iter().map(|key| Ok(KeyUrl::of_org(text(key, "root key of an org")?)?));
        source.org_keys = own.collect::<Result<_, Stop>>()?;
    }
    // An anchor remembers one store: the one that is written to.
    source.anchor = None;
    source.ask = Some(Arc::new(OfSource));
    Ok((source, target))
}

fn store(url: &OsString) -> Result<StoreUrl, Stop> {
    match text(url, "store")?.parse()? {
        StoreUrl::Memory => {
            let why = "memory: lives only inside one process and would be gone with this command; use sqlite:PATH";
            Err(Error::Unsupported(why.to_owned()).into())
        }
        url => Ok(url),
    }
}

fn text<'a>(argument: &'a OsString, field: &'static str) -> Result<&'a str, Stop> {
    Ok(global::text(argument).map_err(|fault| Error::InvalidMetadata { field, fault })?)
}

fn copy(session: &Session, source: &Secrets, target: &Secrets, org: &Part, report: &mut Report) -> Result<(), Stop> {
    let total = number_of_secrets(source, org)?.saturating_mul(2);
    // What is under way is finished before a signal ends it; what was done stays done either way. Held back before the
    // progress begins: its thread is not to take them.
    let signals = Signals::hold_back().map_err(Stop::terminal)?;
    let progress = Progress::start(&session.console, &format!("copying org {org}"), usize::try_from(total).ok());
    let mut last = CopyProgress::default();
    let mut steps = target.copy_from(source, org, BATCH);
    let outcome = loop {
        match steps.next() {
            None => break Ok(()),
            Some(Err(error)) => break Err(Stop::from(error).or_hint(AGAIN)),
            Some(Ok(told)) => {
                for told in told {
                    match told {
                        Copied::Progress(now) => {
                            let steps = (now.checked + now.compared).saturating_sub(last.checked + last.compared);
                            progress.advance(usize::try_from(steps).unwrap_or_default());
                            last = now;
                        }
                        Copied::Left(finding) => report.found(org, &finding),
                        _ => {}
                    }
                }
            }
        }
        match signals.within(Duration::ZERO).map_err(Stop::terminal) {
            Ok(None) => {}
            Ok(Some(signal)) => {
                session.console.notice("stopped; nothing is lost, and the same command goes on with it");
                break Err(Stop::Signalled(signal));
            }
            Err(stop) => break Err(stop),
        }
    };
    drop(progress);
    report.count(last);
    outcome
}

/// Secrets in one commit.
const BATCH: usize = 100;

const AGAIN: &str = "what was copied stays; run the same command again, and it goes on with the rest";
