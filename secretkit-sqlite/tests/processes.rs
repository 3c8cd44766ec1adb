//! Sixteen processes that want the same thing at the same moment, and processes that are killed.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use secretkit_core::{
    Access, ErrorKind, PutMode, Revision, RootKey, SecretInfo, SecretRequest, SecretStore, SecretValue, Secrets,
};
use secretkit_sqlite::SqliteStore;
use support::{Home, get, id, put};

const PROCESSES: usize = 16;
const ROUNDS: usize = 20;
const PLACES: usize = 100;

#[test]
fn all_who_make_a_store_at_once_get_the_same_one() {
    let home = Home::new();
    let ids: Vec<_> = run(&home, "make").into_iter().flatten().collect();
    assert_eq!(ids.len(), PROCESSES);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
    assert_eq!(support::files(home.directory.path()), ["go", "key", "secrets.db"]);
    assert_eq!(*ids.first().unwrap(), format!("{:?}", home.opened().store().info().unwrap().id));
}

/// Whoever comes a moment later finds the log of a store that is new, and not one that is left over.
#[test]
fn nobody_takes_the_log_of_a_store_that_was_just_made_for_one_that_is_left_over() {
    let home = Home::new();
    for place in 0..PLACES {
        std::fs::create_dir(home.directory.path().join(place.to_string())).unwrap();
    }
    let made = run(&home, "make_many");
    assert!(made.iter().all(|each| each.len() == PLACES && *each == made[0]), "{made:?}");
}

#[test]
fn of_all_who_create_a_secret_at_once_one_succeeds() {
    let home = Home::new();
    let won: Vec<_> = run(&home, "create").into_iter().flatten().collect();
    assert_eq!(won.len(), ROUNDS, "{won:?}");
    assert_eq!(won.iter().collect::<BTreeSet<_>>().len(), ROUNDS, "a secret was created twice: {won:?}");
    let secrets = home.opened();
    for line in won {
        let (number, winner) = line.split_once(' ').unwrap();
        assert_eq!(get(&secrets, &format!("acme/p:name-{number}")), winner.as_bytes());
    }
}

#[test]
fn everything_that_is_overwritten_at_once_becomes_a_revision() {
    let home = Home::new();
    let written: BTreeSet<_> = run(&home, "overwrite").into_iter().flatten().collect();
    assert_eq!(written.len(), PROCESSES * ROUNDS);
    assert_eq!(revisions(&home, "acme:shared"), written);
}

#[test]
fn updates_of_one_generation_have_one_winner_each() {
    let home = Home::new();
    put(&home.created(), "acme:counter", b"0");
    run(&home, "count");
    let total = PROCESSES * ROUNDS;
    let expected: BTreeSet<_> = (0..=total).map(|count| count.to_string()).collect();
    assert_eq!(revisions(&home, "acme:counter"), expected);
    assert_eq!(get(&home.opened(), "acme:counter"), total.to_string().as_bytes(), "an increment was lost");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let home = Home::new();
    drop(home.created());
    let mut acknowledged = 0;
    for round in 0..20 {
        let mut child = worker(&home, "append", &acknowledged.to_string());
        go(&home);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.filter_map(|line| report(&line.unwrap()));
        for _ in 0..=round % 5 {
            acknowledged = lines.next().unwrap().parse().unwrap();
        }
        // Somewhere in the middle of what comes next.
        std::thread::sleep(Duration::from_micros(137 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            acknowledged = line.parse().unwrap();
        }
        let secrets = home.opened();
        for number in 1..=acknowledged {
            assert_eq!(get(&secrets, &format!("acme:line-{number}")), number.to_string().as_bytes());
        }
        // One more may have been committed and not reported.
        acknowledged += usize::from(secrets.get(&id(&format!("acme:line-{}", acknowledged + 1))).is_ok());
        let next = secrets.get(&id(&format!("acme:line-{}", acknowledged + 1)));
        assert_eq!(next.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let verdict: String = home.raw().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Each revision's value, all of them there and dense.
fn revisions(home: &Home, address: &str) -> BTreeSet<String> {
    let (secrets, address) = (home.opened(), id(address));
    let info = secrets.info(&address).unwrap();
    assert_eq!(info.first_revision, Revision::FIRST);
    assert_eq!(info.generation.number(), info.revision.number());
    let value = |number| {
        let request = SecretRequest::new(address.name().clone()).at_revision(Revision::new(number).unwrap());
        let resolved = secrets.resolve(address.scope(), &request).unwrap();
        String::from_utf8(resolved.value.expose_secret().to_vec()).unwrap()
    };
    (1..=info.revision.number()).map(value).collect()
}

/// Runs all workers at once and returns the lines that each printed.
fn run(home: &Home, task: &str) -> Vec<Vec<String>> {
    let workers: Vec<_> = (0..PROCESSES).map(|number| worker(home, task, &number.to_string())).collect();
    go(home);
    workers
        .into_iter()
        .map(|worker| {
            let output = worker.wait_with_output().unwrap();
            assert!(output.status.success(), "a worker failed: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout.lines().filter_map(|line| report(&line.unwrap())).collect()
        })
        .collect()
}

/// This program again, as the test named `work_of_one_process`, which prints to a pipe of its own.
fn worker(home: &Home, task: &str, number: &str) -> Child {
    home.write_key();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "work_of_one_process", "--ignored", "--nocapture", "--quiet"])
        .env("SECRETKIT_TEST", format!("{task} {number} {}", home.directory.path().display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a worker said, and not the harness around it.
fn report(line: &str) -> Option<String> {
    line.strip_prefix("= ").map(str::to_owned)
}

fn go(home: &Home) {
    std::fs::write(home.directory.path().join("go"), b"").unwrap();
}

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn work_of_one_process() {
    let instruction = std::env::var("SECRETKIT_TEST").expect("run by the other tests of this file");
    let [task, number, directory] = instruction.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let directory = Path::new(directory);
    while !directory.join("go").exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
    let work = Work { path: directory.join("secrets.db"), key: directory.join("key"), number: number.to_owned() };
    match task {
        "make" => work.make(),
        "make_many" => work.make_many(),
        "create" => work.create(),
        "overwrite" => work.overwrite(),
        "count" => work.count(),
        "append" => work.append(),
        _ => panic!("no such task"),
    }
}

struct Work {
    path: PathBuf,
    key: PathBuf,
    number: String,
}

impl Work {
    fn make(&self) {
        say(&format!("{:?}", self.secrets().store().info().unwrap().id));
    }

    /// One store after the other, with all others at about the same one.
    fn make_many(&self) {
        for place in 0..PLACES {
            let store = SqliteStore::create(&self.path.with_file_name(place.to_string()).join("secrets.db")).unwrap();
            // Its log stands beside it from the first look on, as long as somebody has it open.
            assert!(store.is_empty().unwrap());
            say(&format!("{:?}", store.info().unwrap().id));
        }
    }

    fn create(&self) {
        let secrets = self.secrets();
        for round in 0..ROUNDS {
            match self.put(&secrets, &format!("acme/p:name-{round}"), &self.number, PutMode::Create) {
                Ok(_) => say(&format!("{round} {}", self.number)),
                Err(kind) => assert_eq!(kind, ErrorKind::AlreadyExists),
            }
        }
    }

    fn overwrite(&self) {
        let secrets = self.secrets();
        for round in 0..ROUNDS {
            let value = format!("{} {round}", self.number);
            self.put(&secrets, "acme:shared", &value, PutMode::Overwrite).unwrap();
            say(&value);
        }
    }

    /// Adds one, so many times that it succeeded.
    fn count(&self) {
        let secrets = self.secrets();
        let mut rounds = 0;
        while rounds < ROUNDS {
            let current = secrets.get(&id("acme:counter")).unwrap();
            let count: usize = std::str::from_utf8(current.value.expose_secret()).unwrap().parse().unwrap();
            let mode = PutMode::Update(current.info.generation);
            match self.put(&secrets, "acme:counter", &(count + 1).to_string(), mode) {
                Ok(_) => rounds += 1,
                Err(kind) => assert_eq!(kind, ErrorKind::Conflict),
            }
        }
    }

    /// Writes one after the other until it is killed, and says so after each.
    fn append(&self) {
        let secrets = self.secrets();
        for number in self.number.parse::<u32>().unwrap() + 1.. {
            self.put(&secrets, &format!("acme:line-{number}"), &number.to_string(), PutMode::Create).unwrap();
            say(&number.to_string());
        }
    }

    /// Who else is writing makes a write wait, and no more.
    fn put(&self, secrets: &Secrets, address: &str, value: &str, mode: PutMode) -> Result<SecretInfo, ErrorKind> {
        secrets.put(&id(address), &SecretValue::copied_from(value.as_bytes()), mode).map_err(|error| error.kind())
    }

    fn secrets(&self) -> Secrets {
        let store = Arc::new(SqliteStore::create(&self.path).unwrap());
        let key = Arc::new(RootKey::from_file(&self.key).unwrap());
        Secrets::new(store, key, Access::Unrestricted).with_keep(u32::MAX)
    }
}

/// At once, in one piece: a process that is killed must not have said half a line.
fn say(line: &str) {
    std::io::stdout().write_all(format!("= {line}\n").as_bytes()).unwrap();
}
