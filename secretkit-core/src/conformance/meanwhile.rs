//! Somebody else who acts between a read and the commit that follows from it.

use std::sync::{Arc, Mutex, PoisonError};

use super::Factory;
use super::sample::{id, org};
use crate::error::{Error, ErrorKind};
use crate::event::Action;
use crate::people::Access;
use crate::seal::{KeyUse, RootKey};
use crate::secrets::{PutMode, Secrets};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::value::SecretValue;

/// One that was removed does not come back, and one that was seen is not set back.
pub fn a_reencryption_changes_no_consumer(factory: &Factory<'_>) {
    let (ours, theirs, meanwhile) = two(factory);
    for name in ["gone", "seen", "same"] {
        ours.add_consumer(&id("acme:a"), &name.parse().unwrap()).unwrap();
    }
    let keys = ours.keys();
    keys.promote(&org("acme"), keys.add(&org("acme"), KeyUse::Meta).unwrap().id).unwrap();
    let seen = |secrets: &Secrets| -> Vec<_> {
        let consumers = secrets.consumers(&id("acme:a")).unwrap();
        consumers.into_iter().map(|consumer| (consumer.name.to_string(), consumer.seen.at)).collect()
    };
    let left = Arc::new(Mutex::new(Vec::new()));
    let there = Arc::clone(&left);
    meanwhile.then(move || {
        theirs.remove_consumer(&id("acme:a"), &"gone".parse().unwrap()).unwrap();
        theirs.add_consumer(&id("acme:a"), &"seen".parse().unwrap()).unwrap();
        *there.lock().unwrap() = seen(&theirs);
    });
    assert!(keys.reencrypt(&org("acme"), 10).all(|progress| progress.is_ok()));
    assert_eq!(left.lock().unwrap().len(), 2, "somebody acted");
    assert_eq!(seen(&ours), *left.lock().unwrap());
    for name in ["seen", "same"] {
        ours.remove_consumer(&id("acme:a"), &name.parse().unwrap()).unwrap();
    }
    ours.delete(&id("acme:a")).unwrap();
}

/// Of two who remove it at once, one did it, and the other learns that it is gone.
pub fn a_consumer_is_removed_once(factory: &Factory<'_>) {
    let (ours, theirs, meanwhile) = two(factory);
    let job = "job".parse().unwrap();
    ours.add_consumer(&id("acme:a"), &job).unwrap();
    let other = job.clone();
    meanwhile.then(move || drop(theirs.remove_consumer(&id("acme:a"), &other).unwrap()));
    let outcome = ours.remove_consumer(&id("acme:a"), &job);
    assert!(matches!(outcome, Err(Error::ConsumerNotFound { .. })), "{outcome:?}");
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);
    let removed = ours.events(&org("acme")).map(Result::unwrap).filter(|event| event.action == Action::RemoveConsumer);
    assert_eq!(removed.count(), 1);
}

/// Two processes with one secret, and what makes the second act while the first is at work.
fn two(factory: &Factory<'_>) -> (Secrets, Secrets, Arc<Meanwhile>) {
    let (store, root, meanwhile) = (factory(), Arc::new(RootKey::generate().unwrap()), Arc::new(Meanwhile::default()));
    let opened = || Secrets::new(Arc::clone(&store), Arc::clone(&root) as _, Access::Unrestricted);
    let ours = opened().with_clock(Arc::clone(&meanwhile) as _);
    ours.put(&id("acme:a"), &SecretValue::copied_from(b"value"), PutMode::Create).unwrap();
    (ours, opened(), meanwhile)
}

/// A clock that lets somebody act when it is asked for the time of an event: by then what it tells of was read.
#[derive(Default)]
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Meanwhile {
    fn then(&self, act: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(act));
    }
}

impl Clock for Meanwhile {
    fn now(&self) -> Timestamp {
        let act = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(act) = act {
            act();
        }
        SystemClock.now()
    }
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}
