//! Copies from one store into another, with keys of its own.

use std::sync::Arc;

use super::Factory;
use super::sample::{apply, fetch, id, org, revision};
use crate::edit::{MetadataEdit, Setting};
use crate::error::ErrorKind;
use crate::event::{Action, Subject};
use crate::filter::Activity;
use crate::metadata::{Description, Tags};
use crate::people::{Access, Actor};
use crate::seal::{RootKey, SealedValue};
use crate::secrets::{Copied, CopyFinding, CopyProgress, PutMode, Secrets, Verified};
use crate::store::{Change, Target, Within};
use crate::time::{ManualClock, Timestamp};
use crate::value::SecretValue;

/// Ids, generations, values of before, times, people, metadata, consumers and last uses; and the copy is whole.
pub fn a_copy_has_all_that_the_source_has(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    // What was switched off and what has expired is copied like everything else.
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let old = old.with_clock(clock.clone()).with_actor(Actor::parse("somebody@before").unwrap());
    for text in ["one", "two", "three", "four"] {
        put(&old, "acme/etl/production:db/token", text);
        clock.advance(std::time::Duration::from_secs(1));
    }
    let rich = id("acme/etl/production:db/token");
    let edit = MetadataEdit {
        activity: Some(Activity::Inactive),
        expires_at: Setting::Set(Timestamp::from_micros(1_700_000_100_000_000)),
        add_tags: Tags::parse(["payroll", "eu"]).unwrap(),
        keep: Setting::Set(2),
        ..described("what it is for")
    };
    old.edit(&rich, &edit, None).unwrap();
    old.add_consumer(&rich, &"job".parse().unwrap()).unwrap();
    old.add_consumer(&rich, &"other job".parse().unwrap()).unwrap();
    clock.advance(std::time::Duration::from_secs(1000));
    for number in 0..20 {
        put(&old, &format!("acme/p{}:k{number:02}", number % 3), &format!("value {number}"));
    }
    put(&old, "acme:empty", "");
    put(&old, "other:a", "another org's");
    old.get(&id("acme:empty")).unwrap();
    old.record_uses();

    let (progress, findings) = copied(&new, &old, 7);
    assert_eq!((progress.checked, progress.copied, progress.compared), (22, 22, 22));
    assert_eq!(findings, []);
    same_everywhere(&old, &new);
    assert_eq!(new.info(&rich).unwrap().updated.by.as_str(), "somebody@before");
    assert!(new.info(&id("acme:empty")).unwrap().last_used().is_some());
    assert_eq!(new.consumers(&rich).unwrap().len(), 2);
    assert_eq!(new.get(&rich).unwrap_err().kind(), ErrorKind::Inactive);
    assert_eq!(new.delete(&rich).unwrap_err().kind(), ErrorKind::InUse);
    assert_eq!(new.get(&id("other:a")).unwrap_err().kind(), ErrorKind::NotFound);
    // The two share no key, so they share no digest and no byte of a record.
    assert_ne!(old.info(&rich).unwrap().digest.to_bytes(), new.info(&rich).unwrap().digest.to_bytes());
    assert!(new.verify_value(&rich, &value("four")).unwrap());
    whole(&new);
    // It goes on where it was: whoever read it there may write over it here.
    let generation = old.info(&rich).unwrap().generation;
    new.put(&rich, &value("five"), PutMode::Update(generation)).unwrap();
    whole(&new);
}

/// What is there is passed over, and what is missing is brought: also a consumer or a use alone.
pub fn a_copy_that_was_stopped_goes_on(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    for number in 0..25 {
        put(&old, &format!("acme:k{number:02}"), "one");
        put(&old, &format!("acme:k{number:02}"), "two");
    }
    // The beginning, and one batch.
    new.copy_from(&old, &org("acme"), 10).take(2).for_each(|step| drop(step.unwrap()));
    // Which ones came first is their ids' to say, and those of one millisecond are in no order.
    let all = (0..25).map(|number| id(&format!("acme:k{number:02}")));
    let there: Vec<_> = all.filter(|at| new.info(at).is_ok()).collect();
    assert_eq!(there.len(), 10);
    old.add_consumer(&there[0], &"job".parse().unwrap()).unwrap();
    let (progress, findings) = copied(&new, &old, 10);
    assert_eq!((progress.checked, progress.copied, progress.compared), (25, 16, 25));
    assert_eq!(findings, []);
    same_everywhere(&old, &new);
    let events = new.events(&org("acme")).map(Result::unwrap).count();
    let (progress, findings) = copied(&new, &old, 1000);
    assert_eq!((progress.copied, progress.compared), (0, 25));
    assert_eq!(findings, []);
    assert_eq!(new.events(&org("acme")).map(Result::unwrap).count(), events, "nothing is written twice");
    whole(&new);
}

/// What was changed there since is brought up to date, with the values in between.
pub fn a_copy_follows_its_source(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    for name in ["updated", "edited", "pruned", "rolled", "same"] {
        for text in ["one", "two", "three"] {
            put(&old, &format!("acme:{name}"), text);
        }
    }
    assert_eq!(copied(&new, &old, 100).1, []);
    for text in ["four", "five"] {
        put(&old, "acme:updated", text);
    }
    old.edit(&id("acme:edited"), &described("later"), None).unwrap();
    old.prune(&id("acme:pruned"), 1).unwrap();
    old.rollback(&id("acme:rolled"), revision(1), None).unwrap();
    put(&old, "acme:made", "later");
    let (progress, findings) = copied(&new, &old, 100);
    assert_eq!((progress.copied, progress.compared), (5, 6));
    assert_eq!(findings, []);
    same_everywhere(&old, &new);
    whole(&new);
    // A rotation here changes nothing that a copy sees.
    let keys = new.keys();
    keys.promote(&org("acme"), keys.add(&org("acme"), crate::seal::KeyUse::Data).unwrap().id).unwrap();
    assert_eq!(keys.reencrypt(&org("acme"), 100).map(Result::unwrap).last().unwrap().rewritten, 6);
    put(&old, "acme:updated", "six");
    assert_eq!(copied(&new, &old, 100).1, []);
    same_everywhere(&old, &new);
    whole(&new);
}

/// A name that is taken, a copy that was changed, one that was deleted: each is told, and left as it is.
pub fn a_copy_changes_nothing_that_others_made(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    for name in ["taken", "changed", "both", "deleted", "plain"] {
        put(&old, &format!("acme:{name}"), "theirs");
    }
    put(&new, "acme:taken", "ours");
    put(&new, "acme:own", "ours");
    let ids = |name: &str| old.info(&id(&format!("acme:{name}"))).unwrap().id;
    let at = |name: &str| id(&format!("acme:{name}"));
    let taken = || CopyFinding::Taken { id: ids("taken"), address: at("taken") };
    let (progress, findings) = copied(&new, &old, 100);
    assert_eq!((progress.copied, progress.compared), (4, 4));
    assert_eq!(findings, [taken()]);
    put(&new, "acme:changed", "ours");
    put(&new, "acme:both", "ours");
    put(&old, "acme:both", "theirs, later");
    put(&old, "acme:both", "theirs, latest");
    new.delete(&at("deleted")).unwrap();
    let (progress, mut findings) = copied(&new, &old, 100);
    assert_eq!((progress.copied, progress.compared), (0, 1));
    findings.sort_by_key(ToString::to_string);
    let changed = |name| CopyFinding::Changed { id: ids(name), address: at(name) };
    let deleted = CopyFinding::Deleted { id: ids("deleted"), address: at("deleted") };
    assert_eq!(findings, [changed("both"), changed("changed"), deleted, taken()]);
    for name in ["taken", "changed", "both", "own"] {
        assert_eq!(got(&new, &format!("acme:{name}")), "ours");
    }
    assert!(new.info(&at("deleted")).is_err());
    whole(&new);
}

/// Also where its name is another secret's by now, and where the one that had it first is the target.
pub fn a_copy_tells_what_was_deleted_since_another(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    for name in ["gone", "renewed", "plain", "both"] {
        put(&old, &format!("acme:{name}"), "before");
    }
    let at = |name: &str| id(&format!("acme:{name}"));
    let ids = |name: &str| old.info(&at(name)).unwrap().id;
    let (gone, renewed) = (ids("gone"), ids("renewed"));
    assert_eq!(copied(&new, &old, 2).1, []);
    for name in ["gone", "renewed", "both"] {
        old.delete(&at(name)).unwrap();
    }
    new.delete(&at("both")).unwrap();
    put(&old, "acme:renewed", "anew");
    let finding = |name: &str, id| CopyFinding::Gone { id, address: at(name) };
    let taken = CopyFinding::Taken { id: ids("renewed"), address: at("renewed") };
    for _ in 0..2 {
        let (progress, mut findings) = copied(&new, &old, 2);
        assert_eq!((progress.copied, progress.compared), (0, 1));
        findings.sort_by_key(ToString::to_string);
        assert_eq!(findings, [finding("gone", gone), finding("renewed", renewed), taken.clone()]);
    }
    // Nor does it come back the other way round.
    let back = copied(&old, &new, 2).1;
    assert!(back.contains(&CopyFinding::Deleted { id: gone, address: at("gone") }), "{back:?}");
    assert!(back.contains(&CopyFinding::Taken { id: renewed, address: at("renewed") }), "{back:?}");
    assert_eq!(back.len(), 2);
    assert_eq!(got(&new, "acme:renewed"), "before", "nothing is deleted by a copy");
    for name in ["gone", "renewed"] {
        new.delete(&at(name)).unwrap();
    }
    assert_eq!(copied(&new, &old, 2).1, []);
    same_everywhere(&old, &new);
    // What was made here is told as well where it was deleted there.
    let back = opened(factory);
    assert_eq!(copied(&back, &new, 2).1, []);
    back.delete(&at("plain")).unwrap();
    let plain = CopyFinding::Gone { id: new.info(&at("plain")).unwrap().id, address: at("plain") };
    assert_eq!(copied(&new, &back, 2).1, [plain]);
    whole(&new);
}

/// Each that is brought to a secret which is there already; one that was only seen again is not.
pub fn a_copy_of_consumers_is_recorded(factory: &Factory<'_>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let (old, new) = (opened(factory).with_clock(clock.clone()), opened(factory));
    let (token, other) = (id("acme:token"), id("acme:other"));
    put(&old, "acme:token", "one");
    put(&old, "acme:other", "one");
    old.add_consumer(&token, &"first".parse().unwrap()).unwrap();
    assert_eq!(copied(&new, &old, 100).1, []);
    assert_eq!(registered(&new), [""; 0], "the event of a copy tells of all that came with it");
    clock.advance(std::time::Duration::from_secs(100));
    for name in ["first", "second"] {
        old.add_consumer(&token, &name.parse().unwrap()).unwrap();
    }
    put(&old, "acme:other", "two");
    old.add_consumer(&other, &"third".parse().unwrap()).unwrap();
    assert_eq!(copied(&new, &old, 100).1, []);
    assert_eq!(registered(&new), ["acme:other third", "acme:token second"]);
    same_everywhere(&old, &new);
    assert_eq!(copied(&new, &old, 100).0.copied, 0);
    assert_eq!(registered(&new).len(), 2);
    whole(&new);
}

/// Removed here, it does not come back; removed there, it stays here.
pub fn a_consumer_that_was_removed_stays_away(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    let (token, job, cron) = (id("acme:token"), "job".parse().unwrap(), "cron".parse().unwrap());
    put(&old, "acme:token", "one");
    old.add_consumer(&token, &job).unwrap();
    old.add_consumer(&token, &cron).unwrap();
    assert_eq!(copied(&new, &old, 100).1, []);
    new.remove_consumer(&token, &job).unwrap();
    old.remove_consumer(&token, &cron).unwrap();
    let names = |secrets: &Secrets| -> Vec<_> {
        secrets.consumers(&token).unwrap().into_iter().map(|consumer| consumer.name).collect()
    };
    for value in ["one", "two"] {
        put(&old, "acme:token", value);
        let (progress, findings) = copied(&new, &old, 100);
        assert_eq!((progress.compared, findings), (1, vec![]));
        assert_eq!(names(&new), std::slice::from_ref(&cron));
    }
    // Whoever registers it here anew may see it again.
    new.add_consumer(&token, &job).unwrap();
    old.add_consumer(&token, &job).unwrap();
    assert_eq!(copied(&new, &old, 100).1, []);
    assert_eq!(names(&new), [cron, job]);
    whole(&new);
}

/// The consumers that events tell of, with their secrets.
fn registered(secrets: &Secrets) -> Vec<String> {
    let told = |event: crate::event::Event| match (event.action, event.subject) {
        (Action::AddConsumer, Subject::Secret { address, consumer: Some(consumer), .. }) => {
            Some(format!("{address} {consumer}"))
        }
        _ => None,
    };
    let mut told: Vec<_> = secrets.events(&org("acme")).map(Result::unwrap).filter_map(told).collect();
    told.sort();
    told
}

/// Changed, made and deleted in the source between the two passes.
pub fn a_copy_meets_a_source_that_moves(factory: &Factory<'_>) {
    let (old, new) = (opened(factory), opened(factory));
    for number in 0..12 {
        put(&old, &format!("acme:k{number:02}"), "one");
    }
    let mut findings = Vec::new();
    let deleted = old.info(&id("acme:k05")).unwrap().id;
    for (step, told) in new.copy_from(&old, &org("acme"), 5).enumerate() {
        findings.extend(told.unwrap().into_iter().filter_map(finding));
        // The beginning, three pages and the end of them are behind it.
        if step == 4 {
            put(&old, "acme:k03", "two");
            put(&old, "acme:made", "meanwhile");
            old.add_consumer(&id("acme:k07"), &"job".parse().unwrap()).unwrap();
            old.delete(&id("acme:k05")).unwrap();
        }
    }
    assert_eq!(findings, [CopyFinding::Gone { id: deleted, address: id("acme:k05") }]);
    assert_eq!((got(&new, "acme:k03"), got(&new, "acme:made")), ("two".into(), "meanwhile".into()));
    assert_eq!(new.consumers(&id("acme:k07")).unwrap().len(), 1);
    new.delete(&id("acme:k05")).unwrap();
    same_everywhere(&old, &new);
    whole(&new);
}

/// What does not open there is told and passed over; a value of before counts as well.
pub fn a_copy_tells_what_is_damaged(factory: &Factory<'_>) {
    let (store, new) = (factory(), opened(factory));
    let old = Secrets::new(Arc::clone(&store), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted);
    for name in ["a", "b", "c"] {
        put(&old, &format!("acme:{name}"), "one");
        put(&old, &format!("acme:{name}"), "two");
    }
    let altered = |sealed: &SealedValue| {
        let mut bytes = sealed.as_bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        SealedValue::from_bytes(&bytes).unwrap()
    };
    let mut current = fetch(&*store, Target::Exact(id("acme:a")), None).unwrap().record;
    current.sealed = altered(&current.sealed);
    let mut before = fetch(&*store, Target::Exact(id("acme:b")), Some(revision(1))).unwrap().superseded.unwrap();
    before.sealed = altered(&before.sealed);
    apply(&*store, &[Change::Replace(current, None), Change::ReplaceRevision(org("acme"), before)]);
    let (progress, findings) = copied(&new, &old, 100);
    assert_eq!((progress.copied, progress.compared), (1, 1));
    assert!(findings.iter().all(|finding| matches!(finding, CopyFinding::Damaged(_))), "{findings:?}");
    assert_eq!(findings.len(), 2);
    assert_eq!(got(&new, "acme:c"), "two");
    whole(&new);
}

/// What stands there in the way of one is told, and keeps no other from being copied.
pub fn a_copy_goes_on_where_its_target_is_damaged(factory: &Factory<'_>) {
    let (store, old) = (factory(), opened(factory));
    let new = Secrets::new(Arc::clone(&store), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted);
    for name in ["a", "b", "c", "d"] {
        put(&old, &format!("acme:{name}"), "value");
    }
    put(&new, "acme:b", "ours");
    assert_eq!(copied(&new, &old, 100).0.copied, 3);
    put(&old, "acme:e", "value");
    for name in ["acme:b", "acme:c"] {
        let mut altered = fetch(&*store, Target::Exact(id(name)), None).unwrap().record;
        altered.head.metadata.expires_at = Some(Timestamp::from_micros(9_000_000_000_000_000));
        apply(&*store, &[Change::Replace(altered, None)]);
    }
    let (progress, mut findings) = copied(&new, &old, 100);
    assert_eq!((progress.checked, progress.copied, progress.compared), (5, 1, 3));
    findings.sort_by_key(ToString::to_string);
    assert_eq!(findings, ["acme:b", "acme:c"].map(|name| CopyFinding::Damaged(name.to_owned())));
    for name in ["acme:a", "acme:d", "acme:e"] {
        assert_eq!(got(&new, name), "value");
    }
}

/// Nor one of its backups, which has the same id.
pub fn a_store_is_not_copied_into_itself(factory: &Factory<'_>) {
    let store = factory();
    let key = Arc::new(RootKey::generate().unwrap());
    let facade = || Secrets::new(Arc::clone(&store), Arc::clone(&key) as _, Access::Unrestricted);
    let (one, other) = (facade(), facade());
    put(&one, "acme:a", "value");
    let mut steps = one.copy_from(&other, &org("acme"), 10);
    assert_eq!(steps.next().unwrap().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(steps.next().is_none());
}

fn described(text: &str) -> MetadataEdit {
    MetadataEdit { description: Setting::Set(Description::parse(text).unwrap()), ..MetadataEdit::default() }
}

fn copied(new: &Secrets, old: &Secrets, batch: usize) -> (CopyProgress, Vec<CopyFinding>) {
    let (mut last, mut findings) = (CopyProgress::default(), Vec::new());
    for told in new.copy_from(old, &org("acme"), batch).flat_map(Result::unwrap) {
        match told {
            Copied::Progress(progress) => last = progress,
            Copied::Left(finding) => findings.push(finding),
        }
    }
    (last, findings)
}

fn finding(told: Copied) -> Option<CopyFinding> {
    match told {
        Copied::Left(finding) => Some(finding),
        Copied::Progress(_) => None,
    }
}

/// What a caller can see of an org but its digests, values of before and all.
fn contents(secrets: &Secrets) -> Vec<String> {
    let infos = secrets.list(Within::Org(org("acme")), 100).flat_map(Result::unwrap);
    let one = |info: crate::record::SecretInfo| {
        let crate::head::Head { id, address, generation, revision, first_revision, keep, metadata, .. } = &*info;
        let numbers = format!("{id} {address} {generation} {revision} {first_revision} {keep:?} {metadata:?}");
        let people = format!("{:?} {:?} {:?} {:?}", info.created, info.updated, info.valued, info.last_used());
        let history = secrets.history(address).unwrap();
        let kept: Vec<_> = history.iter().map(|row| (row.revision, row.valued.clone())).collect();
        format!("{numbers} {people} {kept:?} {:?}", secrets.consumers(address).unwrap())
    };
    infos.map(one).collect()
}

fn same_everywhere(old: &Secrets, new: &Secrets) {
    assert_eq!(contents(old), contents(new));
    for info in old.list(Within::Org(org("acme")), 100).flat_map(Result::unwrap) {
        for row in old.history(&info.address).unwrap() {
            // Also of what may not be read now.
            let of = |secrets: &Secrets| match secrets.get_revision(&info.address, row.revision) {
                Ok(found) => String::from_utf8(found.value.expose_secret().to_vec()).unwrap(),
                Err(error) => error.kind().to_string(),
            };
            assert_eq!(of(old), of(new), "{} {}", info.address, row.revision);
        }
    }
}

fn whole(secrets: &Secrets) {
    let told = secrets.verify(&org("acme")).flat_map(Result::unwrap);
    let wrong: Vec<_> = told.filter(|told| matches!(told, Verified::Wrong(_))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn opened(factory: &Factory<'_>) -> Secrets {
    Secrets::new(factory(), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted)
}

fn put(secrets: &Secrets, address: &str, text: &str) {
    secrets.put(&id(address), &value(text), PutMode::Overwrite).unwrap();
}

fn got(secrets: &Secrets, address: &str) -> String {
    let found = secrets.get(&id(address)).unwrap();
    String::from_utf8(found.value.expose_secret().to_vec()).unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}
