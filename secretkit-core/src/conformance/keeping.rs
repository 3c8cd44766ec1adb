//! What people keep about a secret and do with it over its life, as an application does it.

use std::sync::Arc;
use std::time::Duration;

use super::Factory;
use super::sample::{id, org, revision};
use crate::edit::{MetadataEdit, Setting};
use crate::error::{Error, ErrorKind};
use crate::event::Action;
use crate::filter::{Activity, Filter};
use crate::id::StableId;
use crate::metadata::{Description, Tags};
use crate::people::{Access, Actor};
use crate::record::{Generation, SecretInfo};
use crate::seal::RootKey;
use crate::secrets::{PutItem, PutMode, Secrets, Selection};
use crate::store::{SecretStore, Within};
use crate::time::{Clock, ManualClock, Timestamp};
use crate::usage::Consumer;
use crate::value::SecretValue;

/// Value, digest, id and history stay; only the generation moves on.
pub fn metadata_is_edited_without_a_new_revision(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let at = id("acme/etl:token");
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let before = secrets.put(&at, &value("two"), PutMode::Overwrite).unwrap();
    clock.advance(Duration::from_secs(5));

    let expiry = Timestamp::from_micros(9_000_000_000);
    let all = MetadataEdit {
        activity: Some(Activity::Inactive),
        expires_at: Setting::Set(expiry),
        description: Setting::Set(Description::parse("the token").unwrap()),
        add_tags: Tags::parse(["b", "a"]).unwrap(),
        keep: Setting::Set(3),
        ..MetadataEdit::default()
    };
    let after = secrets.edit(&at, &all, Some(before.generation)).unwrap();
    assert_eq!(after.generation, before.generation.next());
    assert_eq!((after.id, after.revision), (before.id, before.revision));
    assert_eq!(after.digest.to_bytes(), before.digest.to_bytes());
    assert_eq!(after.valued, before.valued);
    assert_ne!(after.updated, before.updated);
    let found = secrets.info(&at).unwrap();
    assert_eq!(found.metadata.inactive_since, Some(after.updated.at));
    assert_eq!(found.metadata.expires_at, Some(expiry));
    assert_eq!(found.metadata.tags.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found.keep, Some(3));
    assert!(matches!(secrets.get(&at), Err(Error::Inactive { since, .. }) if since == after.updated.at));
    assert!(secrets.verify_value(&at, &value("two")).unwrap());
    assert_eq!(secrets.history(&at).unwrap().len(), 2);

    // Everything can be taken away again.
    let none = MetadataEdit {
        activity: Some(Activity::Active),
        expires_at: Setting::Clear,
        description: Setting::Clear,
        remove_tags: Tags::parse(["a", "never"]).unwrap(),
        keep: Setting::Clear,
        ..MetadataEdit::default()
    };
    let bare = secrets.edit(&at, &none, None).unwrap();
    assert_eq!(bare.metadata.tags.iter().collect::<Vec<_>>(), ["b"]);
    assert!(bare.metadata.is_active() && bare.metadata.expires_at.is_none() && bare.metadata.description.is_none());
    assert_eq!(got(&secrets, "acme/etl:token"), "two");
}

/// No generation, no commit.
pub fn an_edit_that_changes_nothing_writes_nothing(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let at = id("acme:token");
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let tag = MetadataEdit { add_tags: Tags::parse(["a"]).unwrap(), ..MetadataEdit::default() };
    let first = secrets.edit(&at, &tag, None).unwrap();
    let second = secrets.edit(&at, &tag, None).unwrap();
    assert_eq!((first.generation, &first.updated), (second.generation, &second.updated));
    assert_eq!(secrets.edit(&at, &MetadataEdit::default(), None).unwrap().generation, first.generation);
    let stale = secrets.edit(&at, &tag, Some(Generation::FIRST));
    assert_eq!(kind(stale), ErrorKind::Conflict, "what is expected is checked all the same");
}

/// And a past expiry or too many tags change nothing.
pub fn an_edit_demands_its_generation(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let at = id("acme:token");
    let off = MetadataEdit { activity: Some(Activity::Inactive), ..MetadataEdit::default() };
    assert_eq!(kind(secrets.edit(&at, &off, None)), ErrorKind::NotFound);
    let first = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    secrets.put(&at, &value("two"), PutMode::Overwrite).unwrap();
    assert_eq!(kind(secrets.edit(&at, &off, Some(first.generation))), ErrorKind::Conflict);
    assert_eq!(kind(secrets.edit((&org("other"), first.id), &off, None)), ErrorKind::NotFound);
    let past = MetadataEdit { expires_at: Setting::Set(clock.now()), ..off.clone() };
    assert_eq!(kind(secrets.edit(&at, &past, None)), ErrorKind::InvalidMetadata);
    let tags = |from: u32, to: u32| {
        Tags::parse((from..to).map(|n| format!("t{n}")).collect::<Vec<_>>().iter().map(String::as_str))
    };
    secrets.edit(&at, &MetadataEdit { add_tags: tags(0, 30).unwrap(), ..MetadataEdit::default() }, None).unwrap();
    let many = MetadataEdit { add_tags: tags(28, 35).unwrap(), ..off };
    assert_eq!(kind(secrets.edit(&at, &many, None)), ErrorKind::InvalidMetadata);
    assert_eq!(got(&secrets, "acme:token"), "two", "nothing is half done");
}

/// Nobody ever sees the new value without the new metadata.
pub fn a_value_and_its_metadata_are_one_commit(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let at = id("acme:token");
    let expiry = Timestamp::from_micros(9_000_000_000);
    let expires = MetadataEdit { expires_at: Setting::Set(expiry), ..MetadataEdit::default() };
    let first = secrets.put_with(&at, &value("one"), PutMode::Create, &expires).unwrap();
    assert_eq!((first.generation, first.metadata.expires_at), (Generation::FIRST, Some(expiry)));
    let tag = MetadataEdit { add_tags: Tags::parse(["a"]).unwrap(), ..MetadataEdit::default() };
    let second = secrets.update_with(&at, &value("two"), &tag, Some(first.generation)).unwrap();
    assert_eq!((second.generation.number(), second.revision.number()), (2, 2));
    assert_eq!(second.metadata.expires_at, Some(expiry), "what is not named stays");
    let plain = secrets.put(&at, &value("three"), PutMode::Overwrite).unwrap();
    assert_eq!(plain.metadata, second.metadata);
    assert_eq!(kind(secrets.update_with(&at, &value("no"), &tag, Some(first.generation))), ErrorKind::Conflict);
}

/// Newest first, each with its own time, actor and digest.
pub fn a_history_shows_every_value_with_its_digest(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let at = id("acme/etl:token");
    for text in ["one", "two", "one"] {
        secrets.put(&at, &value(text), PutMode::Overwrite).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let history = secrets.history(&at).unwrap();
    assert_eq!(history.iter().map(|row| row.revision.number()).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(history.windows(2).all(|pair| pair[0].valued.at > pair[1].valued.at));
    assert!(history.iter().all(|row| row.valued.by.as_str() == "tester"));
    assert_eq!(history[0].digest.to_bytes(), history[2].digest.to_bytes(), "the same value has the same digest");
    assert_ne!(history[0].digest.to_bytes(), history[1].digest.to_bytes());
    assert_eq!(secrets.history(&id("acme:token")).unwrap_err().kind(), ErrorKind::NotFound);
    let opened = secrets.get_revision(&at, revision(2)).unwrap();
    assert_eq!(opened.value.expose_secret(), b"two");
}

/// As a new revision, under its old digest.
pub fn a_rollback_sets_the_old_value_again(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let at = id("acme/etl:token");
    let first = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let second = secrets.put(&at, &value("two"), PutMode::Overwrite).unwrap();
    assert_eq!(kind(secrets.rollback(&at, revision(1), Some(first.generation))), ErrorKind::Conflict);
    let third = secrets.rollback(&at, revision(1), Some(second.generation)).unwrap();
    assert_eq!((third.revision.number(), third.id), (3, first.id));
    assert_eq!(third.digest.to_bytes(), first.digest.to_bytes());
    assert_eq!(got(&secrets, "acme/etl:token"), "one");
    assert_eq!(secrets.history(&at).unwrap().len(), 3);
    assert_eq!(kind(secrets.rollback(&at, revision(3), None)), ErrorKind::InvalidRequest);
    assert_eq!(kind(secrets.rollback(&at, revision(4), None)), ErrorKind::NotFound);
    assert_eq!(kind(secrets.rollback(&id("acme:x"), revision(1), None)), ErrorKind::NotFound);
}

/// By a standard of the host's, of the secret's own, and at once.
pub fn fewer_revisions_are_kept_when_asked(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let secrets = secrets.with_keep(4);
    let at = id("acme:token");
    let put = |text: &str| secrets.put(&at, &value(text), PutMode::Overwrite).unwrap();
    let kept = || secrets.history(&at).unwrap().len();
    (0..8).for_each(|number| drop(put(&number.to_string())));
    assert_eq!(kept(), 5, "four and the current one");
    secrets.edit(&at, &MetadataEdit { keep: Setting::Set(2), ..MetadataEdit::default() }, None).unwrap();
    assert_eq!(kept(), 3);
    put("8");
    assert_eq!(kept(), 3);
    secrets.edit(&at, &MetadataEdit { keep: Setting::Set(6), ..MetadataEdit::default() }, None).unwrap();
    put("9");
    assert_eq!(kept(), 4);
    let pruned = secrets.prune(&at, 1).unwrap();
    assert_eq!((kept(), pruned.first_revision.number()), (2, 9));
    assert_eq!(secrets.prune(&at, 1).unwrap().generation, pruned.generation, "there was nothing left to do");
    secrets.prune(&at, 0).unwrap();
    assert_eq!(kept(), 1);
    assert_eq!(secrets.get_revision(&at, revision(9)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(got(&secrets, "acme:token"), "9");
}

/// One that cannot be written stops them all.
pub fn values_are_put_together_or_not_at_all(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let values = ["one", "two", "three"].map(value);
    let items = |names: [&str; 3]| {
        let items = names.into_iter().zip(&values);
        items.map(|(name, value)| PutItem { id: id(name), value }).collect::<Vec<_>>()
    };
    let put = secrets.put_all(&items(["acme:a", "acme/p:b", "acme/p/d:g/c"]), PutMode::Create).unwrap();
    assert_eq!(
        put.iter().map(|info| info.address.to_string()).collect::<Vec<_>>(),
        ["acme:a", "acme/p:b", "acme/p/d:g/c"]
    );
    assert_eq!(got(&secrets, "acme/p:b"), "two");
    let taken = items(["acme:new", "acme:a", "acme:newer"]);
    let refused = secrets.put_all(&taken, PutMode::Create);
    assert!(matches!(refused, Err(Error::AlreadyExists { id }) if id.to_string() == "acme:a"));
    assert_eq!(kind(secrets.info(&id("acme:new"))), ErrorKind::NotFound, "nothing is half done");
    let written = secrets.put_all(&taken, PutMode::Overwrite).unwrap();
    assert_eq!(written.iter().map(|info| info.revision.number()).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(got(&secrets, "acme:a"), "two");
    for wrong in [["acme:x", "other:y", "acme:z"], ["acme:x", "acme:y", "acme:x"]] {
        assert_eq!(secrets.put_all(&items(wrong), PutMode::Overwrite).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert!(secrets.put_all(&[], PutMode::Create).unwrap().is_empty());
}

/// The nearest answers, and a page never ends within a name.
pub fn an_effective_listing_shows_what_hides_what(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    for address in
        ["acme:a", "acme/*/d:a", "acme/p:a", "acme/p/d:a", "acme/*/d:b", "acme/p:b", "acme:c", "acme/q:d", "acme/p/d:e"]
    {
        secrets.put(&id(address), &value("x"), PutMode::Create).unwrap();
    }
    let off = MetadataEdit { activity: Some(Activity::Inactive), ..MetadataEdit::default() };
    secrets.edit(&id("acme/p:b"), &off, None).unwrap();
    let task = "acme/p/d".parse().unwrap();
    let expected = [
        "acme/p/d:a hides acme/p:a acme/*/d:a acme:a",
        "acme/p:b hides acme/*/d:b",
        "acme:c hides",
        "acme/p/d:e hides",
    ];
    for page in [1, 2, 3, 4, 5, 100] {
        let mut shown = Vec::new();
        for names in secrets.effective(&task, page) {
            let names = names.unwrap();
            assert!((1..=page).contains(&names.len()));
            for name in names {
                let hides: String = name.hides.iter().map(|info| format!(" {}", info.address)).collect();
                shown.push(format!("{} hides{hides}", name.info.address));
            }
        }
        assert_eq!(shown, expected, "{page} names a page");

        let mut anew = Vec::new();
        let mut next = secrets.effective(&task, page).next();
        while let Some(names) = next {
            anew.extend(names.unwrap().into_iter().map(|name| name.info.address.clone()));
            let last = anew.last().unwrap().name().clone();
            next = secrets.effective(&task, page).after(last).next();
        }
        assert_eq!(anew.len(), expected.len(), "{page} names a page, each begun behind the last one");
    }
    let inactive = Filter { activity: Some(Activity::Inactive), ..Filter::default() };
    let shown: Vec<_> = secrets.effective(&task, 1).filtered(inactive).flat_map(Result::unwrap).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].info.address.to_string(), shown[0].hides.len()), ("acme/p:b".to_owned(), 1));
}

/// Its consumers are named; switching it off is always allowed.
pub fn a_secret_in_use_is_not_deleted(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let at = id("acme/etl:token");
    let info = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let (job, report) = (consumer("etl.jobs:nightly"), consumer("report"));
    secrets.add_consumer(&at, &report).unwrap();
    let seen = secrets.add_consumer((&org("acme"), info.id), &job).unwrap();
    assert_eq!(seen.generation, info.generation);
    assert_eq!(
        secrets.consumers(&at).unwrap().iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["etl.jobs:nightly", "report"]
    );
    let refused = secrets.delete(&at).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InUse);
    assert!(matches!(refused, Error::InUse { consumers, .. } if consumers == [job.clone(), report.clone()]));
    let off = MetadataEdit { activity: Some(Activity::Inactive), ..MetadataEdit::default() };
    secrets.edit(&at, &off, None).unwrap();
    secrets.update(&at, &value("two")).unwrap();
    secrets.remove_consumer(&at, &job).unwrap();
    assert_eq!(kind(secrets.remove_consumer(&at, &job)), ErrorKind::NotFound);
    assert_eq!(kind(secrets.delete(&at)), ErrorKind::InUse);
    secrets.remove_consumer(&at, &report).unwrap();
    assert_eq!(secrets.delete(&at).unwrap().id, info.id);
    assert_eq!(kind(secrets.add_consumer(&at, &job)), ErrorKind::NotFound);
}

/// Those that were last seen before a time.
pub fn consumers_unseen_are_pruned(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let at = id("acme:token");
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    secrets.add_consumer(&at, &consumer("old")).unwrap();
    secrets.add_consumer(&at, &consumer("seen again")).unwrap();
    clock.advance(Duration::from_secs(100));
    let since = clock.now();
    secrets.add_consumer(&at, &consumer("seen again")).unwrap();
    let pruned = secrets.prune_consumers(&at, since).unwrap();
    assert_eq!(pruned.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["old"]);
    let left = secrets.consumers(&at).unwrap();
    assert_eq!((left.len(), left[0].name.as_str(), left[0].seen.at), (1, "seen again", since));
    assert!(secrets.prune_consumers(&at, since).unwrap().is_empty());
}

/// The first time alone: how often a task ran is no part of the audit trail.
pub fn a_consumer_that_registers_itself_is_recorded_once(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let (at, job) = (id("acme:token"), consumer("tasks:etl"));
    let put = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let added = || {
        let events = secrets.events(&org("acme")).map(Result::unwrap);
        events.filter(|event| event.action == Action::AddConsumer).count()
    };
    for round in 0..3 {
        secrets.consumer_seen(&org("acme"), &[put.id], &job).unwrap();
        let seen = secrets.consumers(&at).unwrap();
        assert_eq!((seen.len(), seen[0].seen.at), (1, clock.now()), "round {round}");
        assert_eq!(added(), 1, "round {round}");
        clock.advance(Duration::from_secs(120));
    }
    secrets.remove_consumer(&at, &job).unwrap();
    secrets.consumer_seen(&org("acme"), &[put.id], &job).unwrap();
    assert_eq!(added(), 2);
    secrets.remove_consumer(&at, &job).unwrap();
    secrets.delete(&at).unwrap();
    clock.advance(Duration::from_secs(120));
    secrets.consumer_seen(&org("acme"), &[put.id], &job).unwrap();
    assert_eq!(added(), 2, "what is gone is passed over");
}

/// However many others did so in the same minute: who is not registered would not keep a secret from being deleted.
pub fn a_consumer_registers_itself_among_thousands(factory: &Factory<'_>) {
    let Host { secrets, .. } = host(factory());
    let at = id("acme:token");
    let put = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    for part in 0..10_u8 {
        let gone: Vec<_> = (0..500_u16).map(|number| {
            let mut bytes = [part; 16];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            StableId::from_bytes(bytes)
        }).collect();
        secrets.consumer_seen(&org("acme"), &gone, &consumer("tasks:others")).unwrap();
    }
    for _ in 0..2 {
        secrets.consumer_seen(&org("acme"), &[put.id], &consumer("tasks:payroll")).unwrap();
        assert_eq!(secrets.consumers(&at).unwrap().len(), 1);
    }
    assert_eq!(kind(secrets.delete(&at)), ErrorKind::InUse);
}

/// Who read it and when, at most once a minute, and never what only lists or writes it.
pub fn a_read_is_remembered_as_a_use(factory: &Factory<'_>) {
    let Host { secrets, clock, .. } = host(factory());
    let (read, unread) = (id("acme:read"), id("acme:unread"));
    for at in [&read, &unread] {
        secrets.put(at, &value("one"), PutMode::Create).unwrap();
        secrets.verify_value(at, &value("one")).unwrap();
    }
    let last_used = |at| secrets.info(at).unwrap().last_used().cloned();
    secrets.record_uses();
    assert!(last_used(&read).is_none());
    let first = clock.now();
    secrets.get(&read).unwrap();
    clock.advance(Duration::from_secs(59));
    secrets.get(&read).unwrap();
    secrets.record_uses();
    let used = last_used(&read).unwrap();
    assert_eq!((used.at, used.by.as_str()), (first, "tester"));
    assert!(last_used(&unread).is_none());
    clock.advance(Duration::from_secs(1));
    secrets.get(&read).unwrap();
    secrets.record_uses();
    assert_eq!(last_used(&read).unwrap().at, clock.now());

    clock.advance(Duration::from_secs(1));
    let names = |time| {
        let selection = Selection { unused_since: Some(time), ..Selection::default() };
        let pages = secrets.list(Within::Org(org("acme")), 1).filtered(selection.clone());
        let listed: Vec<_> = pages.flat_map(Result::unwrap).map(|info| info.address.name().to_string()).collect();
        let pages = secrets.effective(read.scope(), 1).filtered(selection);
        let effective: Vec<_> =
            pages.flat_map(Result::unwrap).map(|found| found.info.address.name().to_string()).collect();
        assert_eq!(effective, listed);
        listed
    };
    assert_eq!(names(clock.now()), ["read", "unread"]);
    assert_eq!(names(first), [""; 0], "what was made since then is not unused");
    let between = Timestamp::from_micros(first.as_micros() + 1);
    assert_eq!(names(between), ["unread"]);

    // What was recorded while the clock was ahead stays until the clock is there again.
    let (now, hour) = (clock.now(), Duration::from_secs(60 * 60));
    clock.advance(hour);
    secrets.get(&read).unwrap();
    secrets.record_uses();
    let ahead = clock.now();
    clock.set(now);
    secrets.get(&read).unwrap();
    secrets.record_uses();
    assert_eq!(last_used(&read).unwrap().at, ahead);
    clock.advance(hour + Duration::from_secs(60));
    secrets.get(&read).unwrap();
    secrets.record_uses();
    assert_eq!(last_used(&read).unwrap().at, clock.now());
}

struct Host {
    secrets: Secrets,
    clock: Arc<ManualClock>,
}

fn host(store: Arc<dyn SecretStore>) -> Host {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000)));
    let secrets = Secrets::new(store, Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
        .with_clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .with_actor(Actor::parse("tester").unwrap());
    Host { secrets, clock }
}

fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}

fn got(secrets: &Secrets, address: &str) -> String {
    String::from_utf8(secrets.get(&id(address)).unwrap().value.expose_secret().to_vec()).unwrap()
}

fn consumer(name: &str) -> Consumer {
    name.parse().unwrap()
}

fn kind(outcome: Result<SecretInfo, Error>) -> ErrorKind {
    outcome.unwrap_err().kind()
}
