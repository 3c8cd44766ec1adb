//! What a client does where all write the same names: each write has one winner, and whoever loses is told so.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_core::{
    Action, Consumer, Description, Error, ErrorKind, MetadataEdit, PutItem, PutMode, Result, SecretId, SecretInfo,
    SecretValue, Secrets, Setting,
};

use super::report::{Change, Said};
use super::room::{BUSY_AFTER, Room};
use crate::script::Random;

/// How many names there are.
const NAMES: usize = 100;

/// `writer ROOM NUMBER THREADS WRITES` writes that often on each of so many connections. With `crowd` in the place of
/// a number of writes, so many threads read through one connection until the standard input ends.
pub(crate) fn writer(arguments: &[String]) -> i32 {
    let [path, number, threads, writes] = arguments else { return 2 };
    let (number, threads): (u64, u64) = (number.parse().unwrap(), threads.parse().unwrap());
    let room = Room::enter(Path::new(path));
    let writes: Option<u64> = writes.parse().ok();
    let secrets = match writes {
        Some(_) => room.open_with(&format!("writer {number}"), &[("pool_size", &threads.to_string())]),
        None => {
            let patience = format!("{}ms", BUSY_AFTER.as_millis());
            room.open_with("crowd", &[("pool_size", "1"), ("pool_timeout", &patience)])
        }
    };
    let secrets = secrets.unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (room, secrets, stop, number) = (&room, &secrets, &stop, number * 100 + thread);
            scope.spawn(move || match writes {
                Some(writes) => write_all(room, secrets, number, writes),
                None => crowd(secrets, number, stop),
            });
        }
        if writes.is_none() {
            super::client::wait_for_the_end();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    0
}

fn name(number: usize) -> SecretId {
    format!("acme/shared/worker-all:name-{}", number % NAMES).parse().unwrap()
}

fn write_all(room: &Room, secrets: &Secrets, number: u64, writes: u64) {
    let mut random = Random::new(number + 1);
    for round in 0..writes {
        let value = number << 32 | (round + 1);
        let outcome = write(room, secrets, &mut random, value);
        let said = match outcome {
            Ok(changes) => {
                changes.into_iter().for_each(|(change, value)| Said::Changed(change, value).say());
                continue;
            }
            Err(Error::Contended { .. }) => Said::Failed(ErrorKind::Busy),
            Err(error) if ANSWERS.contains(&error.kind()) => Said::Failed(error.kind()),
            Err(error) => Said::Wrong(format!("{error} ({})", error.kind())),
        };
        said.say();
    }
}

/// What others did is an answer.
const ANSWERS: [ErrorKind; 4] = [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::Conflict, ErrorKind::InUse];

fn write(room: &Room, secrets: &Secrets, random: &mut Random, number: u64) -> Result<Vec<(Change, Option<u64>)>> {
    let (address, value) = (name(random.below(NAMES)), room.value(number));
    let put = |info: &SecretInfo| {
        let action = if info.generation.number() == 1 { Action::Create } else { Action::Update };
        (Change::of(action, info), Some(number))
    };
    let (action, info) = match random.below(12) {
        0 | 1 => return secrets.put(&address, &value, PutMode::Create).map(|info| vec![put(&info)]),
        2 | 3 => return secrets.put(&address, &value, PutMode::Overwrite).map(|info| vec![put(&info)]),
        4 | 5 => {
            let before = secrets.info(&address)?;
            let put_at = PutMode::Update(before.generation);
            return secrets.put(&address, &value, put_at).map(|info| vec![put(&info)]);
        }
        6 => return several(secrets, random, &value).map(|infos| infos.iter().map(put).collect()),
        7 | 8 => {
            let mut edit = MetadataEdit::default();
            edit.description = Setting::Set(Description::parse(&format!("number {number}"))?);
            let expected = if number.is_multiple_of(2) { Some(secrets.info(&address)?.generation) } else { None };
            (Action::Edit, secrets.edit(&address, &edit, expected)?)
        }
        9 => (Action::AddConsumer, secrets.add_consumer(&address, &consumer(random))?),
        10 => (Action::RemoveConsumer, secrets.remove_consumer(&address, &consumer(random))?),
        _ => (Action::Delete, secrets.delete(&address)?),
    };
    Ok(vec![(Change::of(action, &info), None)])
}

/// Three at once, in any order.
fn several(secrets: &Secrets, random: &mut Random, value: &SecretValue) -> Result<Vec<SecretInfo>> {
    let (first, step) = (random.below(NAMES), 1 + random.below(30));
    let items: Vec<_> = (0..3).map(|more| PutItem { id: name(first + more * step), value }).collect();
    secrets.put_all(&items, PutMode::Overwrite)
}

fn consumer(random: &mut Random) -> Consumer {
    ["nightly", "hourly"][random.below(2)].parse().unwrap()
}

/// Many want the one connection that there is. Whoever does not get it in time is told so in time.
fn crowd(secrets: &Secrets, number: u64, stop: &std::sync::atomic::AtomicBool) {
    let mut random = Random::new(number + 1);
    let mut slowest = Duration::ZERO;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let started = Instant::now();
        match secrets.get(&name(random.below(NAMES))) {
            Err(Error::Busy { .. }) => {
                slowest = slowest.max(started.elapsed());
                Said::Failed(ErrorKind::Busy).say();
            }
            Ok(_) => Said::Most("read".to_owned(), 1).say(),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => Said::Wrong(format!("{error} ({})", error.kind())).say(),
        }
        // The processor is for those who write.
        std::thread::sleep(Duration::from_millis(5));
    }
    Said::Most("busy".to_owned(), slowest.as_millis() as u64).say();
}
