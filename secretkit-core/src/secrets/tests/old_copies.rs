//! Old copies of a store, and old rows in a new one: what a process and an anchor know of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::replayed::Replayed;
use super::{id, value};
use crate::anchor::{Advance, Anchored, RollbackAnchor};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Action, Draft, EventRecord, Lane, Subject, Token};
use crate::part::Part;
use crate::people::Access;
use crate::seal::{KeyState, KeyUse, Mac, OrgKeys, RootKey, StoreId};
use crate::secrets::{Finding, PutMode, Secrets, Verified};
use crate::store::{Batch, Change, SecretStore, Within};
use crate::time::Timestamp;

/// An anchor in this process's memory.
#[derive(Debug, Default)]
struct Remembered {
    orgs: Mutex<BTreeMap<Part, Anchored>>,
    /// The org of which nothing can be saved.
    full: Mutex<Option<Part>>,
    loads: AtomicUsize,
}

impl RollbackAnchor for Remembered {
    fn load(&self, _: &StoreId, org: &Part) -> Result<Anchored> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(self.orgs.lock().unwrap().get(org).cloned().unwrap_or_default())
    }

    fn save(&self, _: &StoreId, org: &Part, reached: &Anchored) -> Result<()> {
        let is_full = self.full.lock().unwrap().as_ref() == Some(org);
        match is_full
            || self.orgs.lock().unwrap().entry(org.clone()).or_default().advance(reached) == Advance::AnotherWay
        {
            true => Err(Error::Full { store: format!("the anchor of {org}") }),
            false => Ok(()),
        }
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// One with which something else happens while it is written.
struct Slow {
    remembered: Arc<Remembered>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl std::fmt::Debug for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.remembered.fmt(f)
    }
}

impl RollbackAnchor for Slow {
    fn load(&self, store: &StoreId, org: &Part) -> Result<Anchored> {
        self.remembered.load(store, org)
    }

    fn save(&self, store: &StoreId, org: &Part, reached: &Anchored) -> Result<()> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happen) = meanwhile {
            happen();
        }
        self.remembered.save(store, org, reached)
    }
}

struct Home {
    store: Arc<Replayed>,
    root: Arc<RootKey>,
    anchor: Arc<Remembered>,
}

impl Home {
    fn new() -> Self {
        let (store, root) = (Arc::new(Replayed::new()), Arc::new(RootKey::generate().unwrap()));
        Self { store, root, anchor: Arc::default() }
    }

    /// A process of its own.
    fn process(&self) -> Secrets {
        let (store, root) = (Arc::clone(&self.store) as Arc<dyn SecretStore>, Arc::clone(&self.root) as _);
        Secrets::new(store, root, Access::Unrestricted).without_usage()
    }

    /// One with the anchor.
    fn anchored(&self) -> Secrets {
        self.process().with_anchor(Arc::clone(&self.anchor) as _)
    }

    /// Puts a keyring back.
    fn put_back(&self, keyring: Change) {
        self.store.behind(&Batch { changes: vec![keyring], ..Batch::default() });
    }

    fn keyring(&self) -> Change {
        Change::Keyring(self.store.keyring(id("acme:a").org()).unwrap().unwrap())
    }
}

fn put(secrets: &Secrets, name: &str) -> std::result::Result<(), ErrorKind> {
    secrets.put(&id(name), &value("x"), PutMode::Overwrite).map(drop).map_err(|error| error.kind())
}

fn get(secrets: &Secrets, name: &str) -> std::result::Result<(), ErrorKind> {
    secrets.get(&id(name)).map(drop).map_err(|error| error.kind())
}

fn findings(secrets: &Secrets) -> Vec<Finding> {
    let told = secrets.verify(id("acme:a").org()).flat_map(Result::unwrap);
    told.filter_map(|told| match told {
        Verified::Wrong(finding) => Some(finding),
        Verified::Progress(_) => None,
    })
    .collect()
}

/// A data key that was stolen is replaced, retired and destroyed.
fn replace_data_key(secrets: &Secrets, meanwhile: impl FnOnce()) {
    let (keys, org) = (secrets.keys(), id("acme:a").org().clone());
    let stolen = keys.status(&org).unwrap().in_state(KeyUse::Data, KeyState::Primary).next().unwrap().id;
    let new = keys.add(&org, KeyUse::Data).unwrap().id;
    meanwhile();
    keys.promote(&org, new).unwrap();
    keys.reencrypt(&org, 10).for_each(|progress| {
        progress.unwrap();
    });
    keys.retire(&org, stolen).unwrap();
    keys.destroy(&org, stolen).unwrap();
}

/// The events are all there still.
#[test]
fn the_end_of_a_lane_that_was_put_back_or_altered_is_refused_by_whoever_has_the_anchor() {
    let home = Home::new();
    // A lone writer stays in its lane.
    let (secrets, org) = (home.anchored(), id("acme:a").org().clone());
    let [old, now] = [(); 2].map(|()| {
        put(&secrets, "acme:a").unwrap();
        home.store.lanes(&org).unwrap()
    });
    assert_eq!((old.len(), now.len(), old[0].0), (1, 1, now[0].0));
    let mut altered = now.clone();
    altered.iter_mut().for_each(|(_, end)| end.mac[0] ^= 1);
    for (ends, outcome) in [(now, Ok(())), (old, Err(ErrorKind::RolledBack)), (altered, Err(ErrorKind::RolledBack))] {
        *home.store.ends.lock().unwrap() = Some(ends);
        assert_eq!(get(&home.anchored(), "acme:a"), outcome);
    }
}

/// It has the new key as a pending one, so that everything opens.
#[test]
fn an_old_keyring_is_found_and_refused_by_whoever_knew_the_new_one() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let mut old = None;
    replace_data_key(&secrets, || old = Some(home.keyring()));
    assert_eq!(findings(&home.process()), []);
    home.put_back(old.unwrap());
    get(&home.process(), "acme:a").unwrap();
    assert_eq!(findings(&home.process()), [Finding::OldKeyring { found: 2, recorded: 5 }]);
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::RolledBack));
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::RolledBack), "and it stays so");
    assert_eq!(secrets.keys().status(id("acme:a").org()).unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(secrets.keys().rewrap().unwrap_err().kind(), ErrorKind::RolledBack);
}

#[test]
fn the_keyring_of_an_org_that_was_erased_is_found_where_it_is_put_back() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let old = home.keyring();
    secrets.keys().destroy_all(id("acme:a").org()).unwrap();
    home.put_back(old);
    assert_eq!(findings(&home.process()), [Finding::OldKeyring { found: 1, recorded: 2 }]);
    assert_eq!(put(&secrets, "acme:b"), Err(ErrorKind::UnknownKey));
}

/// Its own writes are all there in the old copy; those of another process are not, in whatever lane they were.
#[test]
fn a_running_process_does_not_write_on_in_an_old_copy() {
    for _ in 0..20 {
        let home = Home::new();
        let secrets = home.anchored();
        put(&secrets, "acme:a").unwrap();
        let yesterday = home.store.commits();
        put(&home.anchored(), "acme:b").unwrap();
        let today = home.store.commits();
        home.store.replay(&yesterday);
        for _ in 0..3 {
            assert_eq!(put(&secrets, "acme:a"), Err(ErrorKind::RolledBack));
        }
        assert_eq!(home.store.commits().len(), yesterday.len());
        assert_eq!(get(&secrets, "acme:a"), Err(ErrorKind::RolledBack), "reads of it ask again from then on");
        home.store.replay(&today);
        put(&secrets, "acme:a").unwrap();
        get(&home.anchored(), "acme:b").unwrap();
    }
}

/// Its events are all genuine, and there are more of them than the anchor has heard of.
#[test]
fn an_old_copy_that_went_another_way_is_refused_however_far_it_is() {
    let home = Home::new();
    put(&home.anchored(), "acme:a").unwrap();
    let yesterday = home.store.commits();
    put(&home.anchored(), "acme:b").unwrap();
    let today = home.store.commits();
    let org = id("acme:a").org().clone();
    let known = home.anchor.load(&home.store.info().unwrap().id, &org).unwrap();
    home.store.replay(&yesterday);
    let is_further = || {
        let ends: BTreeMap<_, _> = home.store.lanes(&org).unwrap().into_iter().collect();
        known.lanes.iter().all(|(lane, head)| ends.get(lane).is_some_and(|end| end.seq > head.seq))
    };
    while !is_further() {
        put(&home.process(), "acme:c").unwrap();
    }
    assert_eq!(findings(&home.process()), []);
    let secrets = home.anchored();
    assert_eq!(get(&secrets, "acme:a"), Err(ErrorKind::RolledBack));
    assert_eq!(put(&secrets, "acme:a"), Err(ErrorKind::RolledBack), "and it stays so");
    home.store.replay(&today);
    get(&secrets, "acme:b").unwrap();
}

/// Each time may be a way over the network.
#[test]
fn an_anchor_is_asked_once_before_the_events_of_an_org_that_has_none() {
    let home = Home::new();
    assert_eq!(home.anchored().events(id("acme:a").org()).count(), 0);
    assert_eq!(home.anchor.loads.load(Ordering::Relaxed), 1);
}

#[test]
fn an_anchor_is_not_asked_again_by_reads_under_keys_that_are_at_hand() {
    let home = Home::new();
    let secrets = home.anchored();
    put(&secrets, "acme:a").unwrap();
    get(&secrets, "acme:a").unwrap();
    let asked = home.anchor.loads.load(Ordering::Relaxed);
    get(&secrets, "acme:a").unwrap();
    assert_eq!(get(&secrets, "acme:b"), Err(ErrorKind::NotFound));
    assert_eq!(home.anchor.loads.load(Ordering::Relaxed), asked);
}

/// Others may write without the anchor; what they wrote follows what it knows.
#[test]
fn lanes_that_are_ahead_of_the_anchor_are_taken() {
    let home = Home::new();
    let secrets = home.anchored();
    for _ in 0..30 {
        put(&home.process(), "acme:a").unwrap();
        put(&secrets, "acme:b").unwrap();
    }
    assert_eq!(secrets.anchor_lag(), None);
    get(&home.anchored(), "acme:a").unwrap();
}

/// What somebody else put into a lane is not what this process vouches for, and is no reason to refuse the store without it.
#[test]
fn an_anchor_is_told_what_was_written_here_alone() {
    let home = Home::new();
    put(&home.anchored(), "acme:a").unwrap();
    let lanes: Vec<_> = home.store.lanes(id("acme:a").org()).unwrap().into_iter().map(|(lane, _)| lane).collect();
    let foreign = Lane::all().filter(|lane| !lanes.contains(lane));
    let mac = Mac::from_bytes(&std::array::from_fn::<_, 49, _>(|at| if at == 0 { 1 } else { 7 })).unwrap();
    let event = |lane| EventRecord {
        org: id("acme:a").org().clone(),
        lane,
        seq: 1,
        token: Token::generate().unwrap(),
        at: Timestamp::from_micros(0),
        body: Box::default(),
        mac,
    };
    // In every lane but one, so that whoever writes next takes that, or one of these.
    home.store.behind(&Batch { events: foreign.take(8).map(event).collect(), ..Batch::default() });
    let secrets = home.anchored();
    put(&secrets, "acme:a").unwrap();
    let known = home.anchor.load(&home.store.info().unwrap().id, id("acme:a").org()).unwrap();
    let written = home.store.commits();
    let own = |lane: Lane| written.iter().flat_map(|batch| &batch.events).any(|event| event.lane == lane);
    assert!(known.lanes.iter().all(|(lane, _)| own(*lane)), "{known:?}");
}

#[test]
fn an_org_of_which_the_anchor_lags_is_told_until_it_knows() {
    let home = Home::new();
    let secrets = home.anchored();
    put(&secrets, "acme:a").unwrap();
    *home.anchor.full.lock().unwrap() = Some(id("acme:a").org().clone());
    let before = home.store.commits();
    put(&secrets, "acme:a").unwrap();
    put(&secrets, "other:a").unwrap();
    assert!(secrets.anchor_lag().is_some_and(|why| why.contains("acme")), "{:?}", secrets.anchor_lag());
    *home.anchor.full.lock().unwrap() = None;
    put(&secrets, "other:a").unwrap();
    assert!(secrets.anchor_lag().is_some(), "it still does not know");
    put(&secrets, "acme:b").unwrap();
    assert_eq!(secrets.anchor_lag(), None);
    home.store.replay(&before);
    assert_eq!(get(&home.anchored(), "acme:a"), Err(ErrorKind::RolledBack));
}

#[test]
fn what_an_anchor_could_not_be_told_meanwhile_is_owed_to_it_still() {
    let home = Home::new();
    let slow = Arc::new(Slow { remembered: Arc::clone(&home.anchor), meanwhile: Mutex::default() });
    let secrets = Arc::new(home.process().with_anchor(Arc::clone(&slow) as _));
    put(&secrets, "acme:a").unwrap();
    let full = |full: bool| *home.anchor.full.lock().unwrap() = full.then(|| id("acme:a").org().clone());
    full(true);
    put(&secrets, "acme:a").unwrap();
    full(false);
    // While what it owes is told, one commit more cannot be.
    let (other, anchor) = (Arc::clone(&secrets), Arc::clone(&home.anchor));
    *slow.meanwhile.lock().unwrap() = Some(Box::new(move || {
        *anchor.full.lock().unwrap() = Some(id("acme:a").org().clone());
        put(&other, "acme:b").unwrap();
        *anchor.full.lock().unwrap() = None;
    }));
    put(&secrets, "acme:a").unwrap();
    assert!(secrets.anchor_lag().is_some(), "it has not heard of acme:b");
    put(&secrets, "acme:a").unwrap();
    assert_eq!(secrets.anchor_lag(), None);
}

/// Nothing of what is there has to be opened for such an answer.
#[test]
fn what_an_old_copy_does_not_have_is_not_said_to_be_absent() {
    let home = Home::new();
    put(&home.anchored(), "acme:a").unwrap();
    let yesterday = home.store.commits();
    put(&home.anchored(), "acme:b").unwrap();
    home.store.replay(&yesterday);
    assert_eq!(get(&home.anchored(), "acme:b"), Err(ErrorKind::RolledBack));
    let infos = home.anchored().infos(id("acme:b").scope(), &[id("acme:b").name().clone()]);
    assert_eq!(infos.unwrap_err().kind(), ErrorKind::RolledBack);
    home.store.replay(&[]);
    let secrets = home.anchored();
    assert_eq!(secrets.info(&id("acme:a")).unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(secrets.history(&id("acme:a")).unwrap_err().kind(), ErrorKind::RolledBack);
    let listed = secrets.list(Within::Org(id("acme:a").org().clone()), 10).next();
    assert_eq!(listed.unwrap().unwrap_err().kind(), ErrorKind::RolledBack);
    let event = secrets.events(id("acme:a").org()).next();
    assert_eq!(event.unwrap().unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(get(&secrets, "other:a"), Err(ErrorKind::NotFound), "of that the anchor knows nothing");
}

#[test]
fn an_org_of_which_only_events_are_left_does_not_verify() {
    let home = Home::new();
    put(&home.process(), "acme:a").unwrap();
    let org = id("acme:a").org().clone();
    let events = |batch: Batch| Batch { expectations: Vec::new(), changes: Vec::new(), ..batch };
    home.store.replay(&home.store.commits().into_iter().map(events).collect::<Vec<_>>());
    assert_eq!(home.process().verify(&org).next().unwrap().unwrap_err().kind(), ErrorKind::Corrupt);
    home.store.replay(&[]);
    assert!(home.process().verify(&org).all(|step| step.is_ok()), "an org that is new");
}

#[test]
fn an_old_keyring_is_refused_by_whoever_has_the_anchor() {
    let home = Home::new();
    let secrets = home.anchored();
    put(&secrets, "acme:a").unwrap();
    let mut old = None;
    replace_data_key(&secrets, || old = Some(home.keyring()));
    let new = home.keyring();
    home.put_back(old.unwrap());
    let fresh = home.anchored();
    assert_eq!(get(&fresh, "acme:a"), Err(ErrorKind::RolledBack));
    assert_eq!(put(&fresh, "acme:a"), Err(ErrorKind::RolledBack));
    assert_eq!(fresh.keys().rewrap().unwrap_err().kind(), ErrorKind::RolledBack);
    assert_eq!(fresh.keys().status(id("acme:a").org()).unwrap_err().kind(), ErrorKind::RolledBack);
    home.put_back(new);
    get(&fresh, "acme:a").unwrap();
}

/// It has the old keys at hand, and the keyring that is there is the one that it knows.
#[test]
fn a_process_that_missed_a_rotation_does_not_write_under_an_old_keyring() {
    let home = Home::new();
    let secrets = home.anchored();
    put(&secrets, "acme:a").unwrap();
    let old = home.keyring();
    replace_data_key(&home.anchored(), || {});
    let new = home.keyring();
    home.put_back(old);
    assert_eq!(put(&secrets, "acme:a"), Err(ErrorKind::RolledBack));
    home.put_back(new);
    put(&secrets, "acme:a").unwrap();
    // Its keys are erased, which no event of a rewrap tells of any more.
    secrets.keys().destroy_all(id("acme:a").org()).unwrap();
    let erased = home.keyring();
    secrets.keys().rewrap().unwrap();
    home.put_back(erased);
    assert_eq!(home.anchored().keys().status(id("acme:a").org()).unwrap_err().kind(), ErrorKind::RolledBack);
}

/// `SECURITY.md` says so: lanes know nothing of each other.
#[test]
fn one_secret_put_back_with_the_end_of_its_lane_is_found_by_the_anchor_alone() {
    let lane_of = |commits: &[Batch]| commits.last().unwrap().events[0].lane;
    let (home, before) = loop {
        let home = Home::new();
        let secrets = home.anchored();
        put(&secrets, "acme:a").unwrap();
        let before = home.store.commits();
        put(&home.anchored(), "acme:a").unwrap();
        if lane_of(&home.store.commits()) != lane_of(&before) {
            put(&secrets, "acme:b").unwrap();
            break (home, before);
        }
    };
    let later = home.store.commits().pop().unwrap();
    home.store.replay(&[before, vec![later]].concat());
    assert_eq!(findings(&home.process()), []);
    get(&home.process(), "acme:b").unwrap();
    assert_eq!(get(&home.anchored(), "acme:b"), Err(ErrorKind::RolledBack));
}

/// With the key that was stolen somebody records that the secret was deleted, which it was not.
#[test]
fn an_audit_key_that_was_replaced_chains_nothing_behind_the_new_one() {
    let home = Home::new();
    let secrets = home.process();
    let info = secrets.put(&id("acme:a"), &value("x"), PutMode::Create).unwrap();
    let org = &id("acme:a").org().clone();
    let row = home.store.keyring(org).unwrap().unwrap();
    let stolen = OrgKeys::open(home.store.info().unwrap().id, &row, &*home.root).unwrap();
    let forged = || {
        let (lane, end) = home.store.lanes(org).unwrap().remove(0);
        let (address, generation, revision) = (info.address.clone(), info.generation, info.revision);
        let subject = Subject::Secret { id: info.id, address, generation, revision, head: None, consumer: None };
        let draft = Draft { action: Action::Delete, by: secrets.actor(), subject };
        let at = Timestamp::from_micros(0);
        let event = draft.chained(org, (lane, Some(&end)), Token::generate().unwrap(), at, &stolen).unwrap();
        let changes = vec![Change::Delete(org.clone(), info.id)];
        (end.seq, Batch { changes, events: vec![event], ..Batch::default() })
    };
    let keys = secrets.keys();
    keys.promote(org, keys.add(org, KeyUse::Audit).unwrap().id).unwrap();
    // One process alone stays in its lane; this is the first event there under the new key.
    put(&secrets, "acme:b").unwrap();
    assert_eq!(findings(&home.process()), []);
    let (after, forged) = forged();
    home.store.behind(&forged);
    let found = findings(&home.process());
    assert!(
        found.iter().any(|told| matches!(told, Finding::BrokenChain { after: at, .. } if *at == after)),
        "{found:?}"
    );
    assert!(found.contains(&Finding::Vanished { id: info.id, address: info.address.clone() }), "{found:?}");
    assert_eq!(home.process().events(org).filter(Result::is_err).count(), 1);
}

/// Each lane has to be tried, and its end learned from the store.
#[test]
fn a_process_writes_on_where_others_were_in_every_lane() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let org = id("acme:a").org().clone();
    let ends = || home.store.lanes(&org).unwrap().into_iter().collect::<BTreeMap<_, _>>();
    let before = ends();
    while Lane::all().any(|lane| ends().get(&lane).map(|end| end.seq) == before.get(&lane).map(|end| end.seq)) {
        put(&home.process(), "acme:b").unwrap();
    }
    put(&secrets, "acme:a").unwrap();
    assert_eq!(findings(&home.process()), []);
}

/// A cache may have missed a whole rotation; what stands in the store is under keys that are there.
#[test]
fn what_a_cache_has_under_a_key_that_is_gone_is_read_from_the_store() {
    let home = Home::new();
    put(&home.process(), "acme:a").unwrap();
    let before = home.store.commits();
    replace_data_key(&home.process(), || {});
    home.store.cache(&before);
    get(&home.process(), "acme:a").unwrap();
    let secrets = home.process();
    let (scope, request) = (id("acme:a").scope().clone(), crate::SecretRequest::new(id("acme:a").name().clone()));
    secrets.resolve_many(&scope, &[request]).unwrap().remove(0).unwrap();
}

#[test]
fn whether_a_commit_took_effect_is_told_by_its_token() {
    let home = Home::new();
    let secrets = home.process();
    put(&secrets, "acme:a").unwrap();
    let (org, committed) = (id("acme:a").org().clone(), home.store.commits().remove(0).token.unwrap());
    assert!(secrets.outcome(&org, &committed).unwrap());
    assert!(!secrets.outcome(&org, &Token::generate().unwrap()).unwrap());
    assert!(!secrets.outcome(id("other:a").org(), &committed).unwrap());
}
