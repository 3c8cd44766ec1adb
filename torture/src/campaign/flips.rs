//! Bits of a whole store file are flipped, one at a time: secrets, history, consumers, uses, events and keys.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

use secretkit_core::store::Within;
use secretkit_core::{Consumer, PutMode, Revision, SecretId, SecretValue, Secrets, Verified};
use secretkit_sqlite::SqliteStore;

use super::{Faults, Size};
use crate::home::{Home, on_all_processors, store_in};
use crate::script::{Random, Value};

const ADDRESSES: [&str; 6] = [
    "acme/etl/production:db/password",
    "acme/etl:db/near",
    "acme/*/production:token",
    "acme:token",
    "acme:big",
    "other:a",
];

/// Flips bits, and prints how many. The program is not needed.
///
/// # Panics
/// Where an answer is wrong, or a row that vanished is not found by `verify`.
pub fn flips(_program: &Path, size: Size) {
    let home = Home::new();
    let room = home.room();
    fill(&home, room.path());
    let whole = std::fs::read(store_in(room.path())).unwrap();
    let truth = answers(&home.secrets(SqliteStore::open(&store_in(room.path())).unwrap(), 0));
    let count = if size == Size::Whole { 52_000 } else { 800 };
    // As many shares as there may be processors, each with a file of its own.
    let shares: Vec<u64> = (0..8).collect();
    let tallies = on_all_processors(&shares, |share| {
        let mut tally = Tally::default();
        let (room, mut random) = (home.room(), Random::new(share + 1));
        let mut file = Copy::of(&whole, room.path());
        for _ in 0..count / shares.len() {
            let bit = random.below(whole.len() * 8);
            file.flip(bit);
            tally.look(&home, room.path(), &truth, bit);
            file.restore(&whole, bit, room.path());
        }
        tally
    });
    let mut sum = Tally::default();
    tallies.into_iter().for_each(|tally| sum.add(tally));
    let Tally { flips, right, errors, vanished, misled, uses, unnoticed, faults } = &sum;
    println!(
        "bit flips: {flips} over {} bytes: {right} right answers, {errors} errors, {vanished} vanished and found by \
         verify's look at the events, {misled} by its look at the file, {uses} uses forgotten, {} faults",
        whole.len(),
        faults.count
    );
    println!("bit flips: teeth: {unnoticed} of them changed rows under SQLite's own eyes, which said ok");
    faults.none("bit flips");
    assert!(*right > 1_000 && *errors > 100 && *unnoticed > 0, "the flips do not hit what they should");
}

fn fill(home: &Home, directory: &Path) {
    let secrets = home.secrets(SqliteStore::create(&store_in(directory)).unwrap(), 0);
    for round in 0..3 {
        for (number, address) in ADDRESSES.iter().enumerate() {
            let length = if *address == "acme:big" { 9_000 } else { 40 };
            let value = SecretValue::from(Value(round * 10 + number as u64, length).bytes());
            secrets.put(&address.parse().unwrap(), &value, PutMode::Overwrite).unwrap();
        }
    }
    for name in ["nightly", "hourly"] {
        secrets.add_consumer(&id(ADDRESSES[0]), &name.parse::<Consumer>().unwrap()).unwrap();
    }
    let data = secretkit_core::seal::KeyUse::Data;
    let key = secrets.keys().add(id("acme:a").org(), data).unwrap();
    secrets.keys().promote(id("acme:a").org(), key.id).unwrap();
    secrets.get(&id(ADDRESSES[0])).unwrap();
    secrets.record_uses();
}

fn id(address: &str) -> SecretId {
    address.parse().unwrap()
}

/// What was asked, and what the answer was; `None` for an error. Whoever asks for what vanished gets [`GONE`].
type Answers = BTreeMap<String, Option<String>>;

/// What a store says of a secret that it does not have.
const GONE: &str = "no such secret";

/// Asks a store everything.
fn answers(secrets: &Secrets) -> Answers {
    let mut answers = Answers::new();
    let mut note = |question: String, answer: secretkit_core::Result<String>| {
        let answer = match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.kind() == secretkit_core::ErrorKind::NotFound => Some(GONE.to_owned()),
            Err(_) => None,
        };
        answers.insert(question, answer);
    };
    for address in ADDRESSES {
        let id = id(address);
        let head = |info: secretkit_core::SecretInfo| format!("{:?}", *info);
        let value = |found: secretkit_core::Resolved| format!("{:?} {:?}", *found.info, found.value.expose_secret());
        note(format!("value of {address}"), secrets.get(&id).map(value));
        note(format!("head of {address}"), secrets.info(&id).map(head));
        let used =
            |info: secretkit_core::SecretInfo| info.last_used().map_or(String::new(), |use_| format!("{use_:?}"));
        note(format!("use of {address}"), secrets.info(&id).map(used));
        note(format!("history of {address}"), secrets.history(&id).map(|history| format!("{history:?}")));
        note(format!("consumers of {address}"), secrets.consumers(&id).map(|names| format!("{names:?}")));
        for number in 1..=2 {
            let at = secrets.get_revision(&id, Revision::new(number).unwrap()).map(value);
            note(format!("revision {number} of {address}"), at);
        }
    }
    for org in ["acme:a", "other:a"] {
        let org = id(org).org().clone();
        let listed: secretkit_core::Result<Vec<_>> = secrets.list(Within::Org(org.clone()), 100).collect();
        let heads = listed.map(|pages| pages.into_iter().flatten().map(|info| format!("{:?}", *info)).collect());
        note(format!("list of {org}"), heads.map(|heads: Vec<_>| heads.join("\n")));
        let keys = secrets.keys().status(&org).map(|status| {
            // How many items stand under a key is counted, and not authenticated.
            let keys: Vec<_> = status.keys.iter().map(|(info, _)| info).collect();
            format!("{} {} {keys:?}", status.version, status.root_key)
        });
        note(format!("keys of {org}"), keys);
    }
    answers
}

/// One file that is damaged and mended again.
struct Copy {
    file: std::fs::File,
}

impl Copy {
    fn of(whole: &[u8], directory: &Path) -> Self {
        let image = [("secrets.db".to_owned(), whole.to_vec())].into();
        super::power::lay_out(directory, &image);
        let file = std::fs::File::options().read(true).write(true).open(store_in(directory)).unwrap();
        Self { file }
    }

    fn flip(&self, bit: usize) {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, (bit / 8) as u64).unwrap();
        self.file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], (bit / 8) as u64).unwrap();
    }

    /// Whoever read it may have left files beside it, and may even have written to it.
    fn restore(&mut self, whole: &[u8], bit: usize, directory: &Path) {
        let mut beside = false;
        for suffix in ["-wal", "-shm", "-journal"] {
            beside |= std::fs::remove_file(directory.join(format!("secrets.db{suffix}"))).is_ok();
        }
        self.file.write_all_at(&whole[bit / 8..=bit / 8], (bit / 8) as u64).unwrap();
        if beside || self.file.metadata().unwrap().len() != whole.len() as u64 {
            *self = Self::of(whole, directory);
        }
    }
}

#[derive(Default)]
struct Tally {
    flips: usize,
    right: usize,
    errors: usize,
    /// Rows that were gone, where `verify` said so: their events are there.
    vanished: usize,
    /// Rows that were not found, where SQLite's own look at the file, which is part of `verify`, says why.
    misled: usize,
    /// When a secret was last used is only remembered; that it is forgotten is no fault.
    uses: usize,
    /// Damage that SQLite does not notice.
    unnoticed: usize,
    faults: Faults,
}

impl Tally {
    fn look(&mut self, home: &Home, directory: &Path, truth: &Answers, bit: usize) {
        self.flips += 1;
        let Ok(store) = SqliteStore::open(&store_in(directory)) else {
            self.errors += 1;
            return;
        };
        let secrets = home.secrets(store, 0).without_usage();
        let mut missing = Vec::new();
        let mut harmless = true;
        for (question, answer) in answers(&secrets) {
            match answer {
                None => {
                    self.errors += 1;
                    harmless = false;
                }
                Some(answer) if answer == *truth[&question].as_ref().unwrap() => self.right += 1,
                Some(answer) if question.starts_with("use of") && (answer.is_empty() || answer == GONE) => {
                    self.uses += 1;
                }
                Some(answer) if is_part(&answer, truth[&question].as_ref().unwrap(), &question) => {
                    missing.push(question);
                }
                Some(_) => self.faults.add(format!("bit {bit}: the {question} is wrong")),
            }
        }
        if !missing.is_empty() {
            harmless = false;
            if ["acme:a", "other:a"].iter().any(|org| notices(&secrets, &id(org))) {
                self.vanished += missing.len();
            } else if !is_examined_well(directory) {
                // The row is there, and an index that leads to it is damaged.
                self.misled += missing.len();
            } else {
                self.faults.add(format!("bit {bit}: verify does not miss the {}", missing.join(" and the ")));
            }
        }
        drop(secrets);
        if !harmless && self.flips.is_multiple_of(8) {
            self.unnoticed += usize::from(sqlite_is_content(directory));
        }
    }

    fn add(&mut self, other: Self) {
        self.flips += other.flips;
        self.right += other.right;
        self.errors += other.errors;
        self.vanished += other.vanished;
        self.misled += other.misled;
        self.uses += other.uses;
        self.unnoticed += other.unnoticed;
        self.faults.count += other.faults.count;
        self.faults.first.extend(other.faults.first);
    }
}

/// Whether an answer lacks something and is true otherwise.
fn is_part(answer: &str, truth: &str, question: &str) -> bool {
    if answer == GONE || question.starts_with("consumers") && answer.len() < truth.len() {
        return true;
    }
    question.starts_with("list") && answer.lines().all(|line| truth.lines().any(|true_line| true_line == line))
}

fn notices(secrets: &Secrets, org: &SecretId) -> bool {
    secrets.verify(org.org()).any(|told| match told {
        Ok(told) => told.iter().any(|told| matches!(told, Verified::Wrong(_))),
        Err(_) => true,
    })
}

/// What the command's `verify` looks at first.
fn is_examined_well(directory: &Path) -> bool {
    let examined = SqliteStore::open(&store_in(directory)).and_then(|store| store.examine());
    examined.is_ok_and(|found| found.is_empty())
}

fn sqlite_is_content(directory: &Path) -> bool {
    let verdict = rusqlite::Connection::open(store_in(directory))
        .and_then(|raw| raw.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0)));
    verdict.is_ok_and(|verdict| verdict == "ok")
}
