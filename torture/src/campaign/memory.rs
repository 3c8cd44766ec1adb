//! A process scans its own memory for a value that it has used and dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use secretkit_core::seal::KeyUse;
use secretkit_core::{Error, PutItem, PutMode, Result, Revision, SecretId, SecretRequest, SecretValue, Secrets};
use secretkit_sqlite::SqliteStore;

use super::Size;
use crate::home::{Home, keys_in, secrets, store_in};

/// Lets a process look into its own memory, and prints what it found. `program` is the one that this crate builds.
///
/// # Panics
/// Where a copy of a value is left, or the scan does not even find one that is there.
pub fn memory(program: &Path, size: Size) {
    let home = Home::new();
    let room = home.room();
    let rounds = if size == Size::Whole { "5" } else { "1" };
    let output = Command::new(program)
        .arg("scan")
        .args([room.path().display().to_string(), home.path().display().to_string(), rounds.to_owned()])
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "memory: {}", String::from_utf8_lossy(&output.stderr));
}

/// The process that looks into its own memory.
pub(crate) fn scan_own_memory(arguments: &[String]) -> i32 {
    let [room, keys, rounds] = arguments else { return 2 };
    let keys = keys_in(Path::new(keys)).unwrap();
    let secrets = secrets(SqliteStore::create(&store_in(Path::new(room))).unwrap(), &keys, 0);
    let (mut left, mut blocks) = (0, 0);
    for round in 0..rounds.parse().unwrap() {
        for (name, path) in PATHS {
            let needle = Needle { number: round };
            path(&secrets, &needle).unwrap_or_else(|error| panic!("{name}: {error}"));
            let Copies { whole, blocks: single } = needle.copies();
            (left, blocks) = (left + whole, blocks + single);
            if whole > 0 || round == 0 {
                println!("memory: after {name}: {whole} copies of the value, {single} of one block of it");
            }
        }
    }
    let needle = Needle { number: 999 };
    let held = needle.value();
    let control = needle.copies().whole;
    drop(held);
    let after = needle.copies().whole;
    println!("memory: teeth: {control} copies while one is held, {after} after");
    println!("memory: {rounds} rounds of {} paths: {left} copies left, {blocks} single blocks", PATHS.len());
    i32::from(left != 0 || control == 0 || after != 0)
}

type Work = fn(&Secrets, &Needle) -> Result<()>;

const PATHS: [(&str, Work); 6] = [
    ("put and update", put),
    ("get and resolve", get),
    ("import", import),
    ("rotation of a data and a digest key", rotate),
    ("rollback and history", rollback),
    ("errors", errors),
];

const ADDRESS: &str = "acme/etl:db/password";

fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

fn put(secrets: &Secrets, needle: &Needle) -> Result<()> {
    secrets.put(&id(ADDRESS), &needle.value(), PutMode::Overwrite)?;
    secrets.update(&id(ADDRESS), &needle.value()).map(drop)
}

fn get(secrets: &Secrets, needle: &Needle) -> Result<()> {
    put(secrets, needle)?;
    drop(secrets.get(&id(ADDRESS))?);
    let request = SecretRequest::new(id(ADDRESS).name().clone());
    drop(secrets.resolve(&"acme/etl/production".parse()?, &request)?);
    secrets.verify_value(&id(ADDRESS), &needle.value()).map(drop)
}

fn import(secrets: &Secrets, needle: &Needle) -> Result<()> {
    let value = needle.value();
    let item = |address| PutItem { id: id(address), value: &value };
    secrets.put_all(&[item("acme:a"), item("acme:b")], PutMode::Overwrite).map(drop)
}

fn rotate(secrets: &Secrets, needle: &Needle) -> Result<()> {
    put(secrets, needle)?;
    let (keys, address) = (secrets.keys(), id(ADDRESS));
    for used_for in [KeyUse::Data, KeyUse::Digest] {
        keys.promote(address.org(), keys.add(address.org(), used_for)?.id)?;
    }
    keys.reencrypt(address.org(), 10).try_for_each(|batch| batch.map(drop))?;
    keys.rewrap().map(drop)
}

fn rollback(secrets: &Secrets, needle: &Needle) -> Result<()> {
    put(secrets, needle)?;
    let earlier = secrets.info(&id(ADDRESS))?.revision.number() - 1;
    secrets.rollback(&id(ADDRESS), Revision::new(earlier).unwrap_or(Revision::FIRST), None)?;
    drop(secrets.get_revision(&id(ADDRESS), Revision::new(earlier).unwrap_or(Revision::FIRST))?);
    secrets.history(&id(ADDRESS)).map(drop)
}

/// A value on the way into an error and out of one.
fn errors(secrets: &Secrets, needle: &Needle) -> Result<()> {
    put(secrets, needle)?;
    let outcomes = [
        secrets.put(&id(ADDRESS), &needle.value(), PutMode::Create).map(drop),
        secrets.update(&id("acme:nobody"), &needle.value()).map(drop),
        secrets.put(&id(ADDRESS), &needle.value(), PutMode::Update(secretkit_core::Generation::FIRST)).map(drop),
        secrets
            .put_all(
                &[
                    PutItem { id: id(ADDRESS), value: &needle.value() },
                    PutItem { id: id(ADDRESS), value: &needle.value() },
                ],
                PutMode::Overwrite,
            )
            .map(drop),
        SecretValue::try_init_with(Needle::BYTES, |bytes| {
            needle.write(bytes);
            Err(Error::InvalidRequest("a value that was begun"))
        })
        .map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.err().ok_or(Error::InvalidRequest("this should have failed"))?;
        drop(format!("{error} {error:?}"));
    }
    Ok(())
}

/// What a scan finds of a value.
#[derive(Clone, Copy)]
struct Copies {
    /// All its quarters.
    whole: usize,
    /// The quarter of which most is left: 16 bytes, which are one block of the cipher.
    blocks: usize,
}

/// A value that is known without being in memory: byte by byte it is made where it is needed.
struct Needle {
    number: u64,
}

impl Needle {
    const BYTES: usize = 64;

    /// The same in every place, and in no register for longer than a moment.
    fn byte(&self, at: usize) -> u8 {
        let mixed = (self.number + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add((at as u64).wrapping_mul(0x517c_c1b7_2722_0a95));
        ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
    }

    fn write(&self, bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte(at);
        }
    }

    fn value(&self) -> SecretValue {
        SecretValue::init_with(Self::BYTES, |bytes| self.write(bytes))
    }

    /// How often the value is found in all the memory that this process can read: each quarter is looked for.
    fn copies(&self) -> Copies {
        const QUARTER: usize = Needle::BYTES / 4;
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = BufReader::new(File::open("/proc/self/maps").unwrap());
        let mut page = vec![0; 64 << 10];
        let own = page.as_ptr() as u64..page.as_ptr() as u64 + page.len() as u64;
        let mut found = [0; 4];
        for line in maps.lines().map(Result::unwrap) {
            let mut words = line.split_whitespace();
            let (range, rights) = (words.next().unwrap(), words.next().unwrap());
            let (start, end) = range.split_once('-').unwrap();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            if !rights.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
                continue;
            }
            let (mut at, end) = (number(start), number(end));
            while at < end {
                // What is searched is not searched for copies of what is searched.
                let limit = if at < own.start { end.min(own.start) } else { end };
                if own.contains(&at) {
                    at = own.end;
                    continue;
                }
                let length = (limit - at).min(page.len() as u64) as usize;
                let read = memory.read_at(&mut page[..length], at).unwrap_or(0);
                if read == 0 {
                    break;
                }
                for (quarter, found) in found.iter_mut().enumerate() {
                    let first = self.byte(quarter * QUARTER);
                    let matches = |from: usize| {
                        let window = &page[from..read];
                        window.len() >= QUARTER && (0..QUARTER).all(|i| window[i] == self.byte(quarter * QUARTER + i))
                    };
                    // Most memory is empty; to pass over it makes the scan bearable.
                    let near = (0..read).step_by(64).filter(|at| page[*at..read.min(*at + 64)].contains(&first));
                    let starts = near.flat_map(|at| at..read.min(at + 64));
                    *found += starts.filter(|from| page[*from] == first && matches(*from)).count();
                }
                // A copy across two pages is met by the overlap.
                at += if read > QUARTER && at + (read as u64) < limit {
                    (read - QUARTER + 1) as u64
                } else {
                    read as u64
                };
            }
            page.fill(0);
        }
        Copies { whole: found.into_iter().min().unwrap_or(0), blocks: found.into_iter().max().unwrap_or(0) }
    }
}
