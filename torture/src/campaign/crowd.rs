//! Many processes work with one store at once, while its keys are rotated every second.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secretkit_core::seal::{KeyState, KeyUse};
use secretkit_core::store::Within;
use secretkit_core::{Error, ErrorKind, PutMode, Result, SecretId, SecretValue, Secrets, Verified};
use secretkit_sqlite::SqliteStore;

use super::{Faults, Size};
use crate::home::{Home, keys_in, secrets, store_in};
use crate::script::Random;

const PROCESSES: usize = 32;
/// Secrets that all of them write.
const SHARED: usize = 20;

/// Lets processes meet, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where a caller gets an error, a write is lost, or a record does not open.
pub fn crowd(program: &Path, size: Size) {
    let home = Home::new();
    let room = home.room();
    let seconds = if size == Size::Whole { 600 } else { 5 };
    drop(home.secrets(SqliteStore::create(&store_in(room.path())).unwrap(), 0));
    let members: Vec<_> = (0..=PROCESSES)
        .map(|number| {
            let arguments = [room.path(), home.path()].map(|path| path.display().to_string());
            Command::new(program)
                .arg("member")
                .args(arguments)
                .args([number.to_string(), seconds.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let (mut faults, mut counts, mut own) = (Faults::default(), BTreeMap::<String, u64>::new(), BTreeMap::new());
    for (number, member) in members.into_iter().enumerate() {
        let output = member.wait_with_output().unwrap();
        if !output.status.success() {
            faults.add(format!("process {number}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["=", "own", count] => drop(own.insert(number, count.parse::<u64>().unwrap())),
                ["=", what, count] => *counts.entry((*what).to_owned()).or_default() += count.parse::<u64>().unwrap(),
                ["!", ..] => faults.add(format!("process {number}: {line}")),
                _ => {}
            }
        }
    }
    let opened = settle(&home.secrets(SqliteStore::open(&store_in(room.path())).unwrap(), 0), &own, &mut faults);
    let counts: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!(
        "crowd: {PROCESSES} processes and one that rotates, {seconds} s: {}, {opened} records read at the end, {} faults",
        counts.join(", "),
        faults.count
    );
    faults.none("crowd");
    assert!(own.values().all(|count| *count > 0), "a process got no turn: {own:?}");
}

/// Everything opens, and what each process has counted is there.
fn settle(secrets: &Secrets, own: &BTreeMap<usize, u64>, faults: &mut Faults) -> usize {
    let mut opened = 0;
    for (number, count) in own {
        let found = secrets.get(&own_address(*number)).map(|found| found.value.expose_secret().to_vec());
        if found.as_deref().ok() != Some(count.to_string().as_bytes()) {
            faults.add(format!("process {number} has counted to {count}, and its last write is lost"));
        }
    }
    for info in secrets.list(Within::Org(org().org().clone()), 100).flatten().flatten() {
        match secrets.get(&info.address) {
            Ok(_) => opened += 1,
            Err(error) => faults.add(format!("{} does not open: {error}", info.address)),
        }
    }
    for told in secrets.verify(org().org()) {
        match told {
            Ok(told) => told.iter().for_each(|told| {
                if let Verified::Wrong(finding) = told {
                    faults.add(format!("verify finds: {finding}"));
                }
            }),
            Err(error) => faults.add(format!("verify fails: {error}")),
        }
    }
    opened
}

fn org() -> SecretId {
    "acme:a".parse().unwrap()
}

fn own_address(number: usize) -> SecretId {
    format!("acme/own:process-{number}").parse().unwrap()
}

/// One process of the crowd. The last of them rotates.
pub(crate) fn member(arguments: &[String]) -> i32 {
    let [room, keys, number, seconds] = arguments else { return 2 };
    let keys = keys_in(Path::new(keys)).unwrap();
    let (number, seconds): (usize, u64) = (number.parse().unwrap(), seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let open = |root| secrets(SqliteStore::create(&store_in(Path::new(room))).unwrap(), &keys, root);
    if number == PROCESSES {
        rotate(open, end)
    } else {
        work(&open(0), number, end)
    }
    0
}

fn work(secrets: &Secrets, number: usize, end: Instant) {
    let mut random = Random::new(number as u64 + 1);
    let (mut done, mut own, mut slowest) = (BTreeMap::<&str, u64>::new(), 0_u64, Duration::ZERO);
    while Instant::now() < end {
        let shared: SecretId = format!("acme/shared:secret-{}", random.below(SHARED)).parse().unwrap();
        let value = SecretValue::copied_from(format!("{number} {own} {}", "x".repeat(random.below(200))).as_bytes());
        let started = Instant::now();
        let (what, outcome) = match random.below(10) {
            0..4 => ("get", secrets.get(&shared).map(drop)),
            4 => ("put", secrets.put(&shared, &value, PutMode::Overwrite).map(drop)),
            5 => {
                let next = SecretValue::from((own + 1).to_string());
                let outcome = secrets.put(&own_address(number), &next, PutMode::Overwrite).map(drop);
                own += u64::from(outcome.is_ok());
                ("put", outcome)
            }
            6 => (
                "update",
                secrets
                    .info(&shared)
                    .and_then(|info| secrets.put(&shared, &value, PutMode::Update(info.generation)).map(drop)),
            ),
            7 => ("delete", secrets.delete(&shared).map(drop)),
            8 => ("list", secrets.list(Within::Org(shared.org().clone()), 50).try_for_each(|page| page.map(drop))),
            _ => ("history", secrets.history(&shared).map(drop)),
        };
        slowest = slowest.max(started.elapsed());
        *done.entry(what).or_default() += 1;
        if let Err(error) = outcome
            && !is_an_answer(&error)
        {
            println!("! {what}: {error} ({:?})", error.kind());
        }
    }
    done.iter().for_each(|(what, count)| println!("= {what} {count}"));
    println!("= own {own}");
    println!("= over-a-second {}", u64::from(slowest > Duration::from_secs(1)));
}

/// What others did is an answer, and no fault of the store's.
fn is_an_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) || matches!(error, Error::Conflict { .. })
}

/// A rotation every second: of the data, meta and digest keys in turn, and of the root key.
fn rotate(open: impl Fn(usize) -> Secrets, end: Instant) {
    let (mut rotations, mut again) = (0_u64, 0_u64);
    while Instant::now() < end {
        let started = Instant::now();
        let secrets = open(rotations as usize % 2);
        let used_for = [KeyUse::Data, KeyUse::Meta, KeyUse::Digest][rotations as usize % 3];
        match rotation(&secrets, used_for) {
            Ok(more) => {
                rotations += 1;
                again += more;
            }
            // Nobody has written anything yet.
            Err(Error::Corrupt { .. }) if rotations == 0 => {}
            Err(error) => println!("! rotation: {error} ({:?})", error.kind()),
        }
        std::thread::sleep(Duration::from_secs(1).saturating_sub(started.elapsed()));
    }
    println!("= rotations {rotations}");
    println!("= reencrypted-again {again}");
}

/// All steps of one. Says how often what was in use had to be written anew once more.
fn rotation(secrets: &Secrets, used_for: KeyUse) -> Result<u64> {
    let (keys, org) = (secrets.keys(), org().org().clone());
    keys.rewrap()?;
    let old = keys.status(&org)?.in_state(used_for, KeyState::Primary).next().map(|info| info.id);
    let new = keys.add(&org, used_for)?;
    keys.promote(&org, new.id)?;
    let mut again = 0;
    loop {
        keys.reencrypt(&org, 20).try_for_each(|batch| batch.map(drop))?;
        let Some(old) = old else { return Ok(again) };
        match keys.retire(&org, old) {
            // A use that was recorded meanwhile stands under it.
            Err(Error::KeyInUse { .. }) if again < 100 => again += 1,
            outcome => {
                outcome?;
                keys.destroy(&org, old)?;
                return Ok(again);
            }
        }
    }
}
