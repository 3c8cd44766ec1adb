//! The power is cut at every call that changes a file, and every part of what was not flushed may be lost.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::Permissions;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::kill::{all_succeeded, changes};
use super::{Faults, Size, counted, undisturbed};
use crate::disk::{Disk, Fate, Image, Trust};
use crate::home::{Home, on_all_processors, store_in};
use crate::model::Expected;
use crate::observe::{check, state};
use crate::run::{Report, Run, follow};
use crate::script::{Op, Random};
use crate::trap::{Entry, Event};
use crate::worker::Script;

/// Cuts the power, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// As `kill`, and where disks that do not flush lose nothing.
pub fn power(program: &Path, size: Size) {
    let home = Home::new();
    let dense = match size {
        Size::Short => Effort { every: 12, chosen: 1, random: 1, most: usize::MAX },
        Size::Whole => Effort { every: 1, chosen: 2, random: 2, most: usize::MAX },
    };
    let Some(worked) = Worked::through(program, &home, Script::Short) else { return };
    let outcome = worked.cut(&home, Trust::All, dense);
    outcome.print("power cut");
    outcome.faults.none("power cut");
    for (trust, like) in [(Trust::NotLogs, "synchronous=NORMAL"), (Trust::Nothing, "synchronous=OFF")] {
        let most = if size == Size::Whole { 1_000 } else { 150 };
        let effort = Effort { every: 10, chosen: 0, random: 1, most };
        let outcome = worked.cut(&home, trust, effort);
        let (lost, states) = (outcome.faults.count, outcome.states);
        println!("power cut: teeth: flushes ignored as with {like}: {lost} of {states} states lost something");
        assert!(lost > 0, "a disk that does not flush ({like}) loses nothing");
    }
    if size == Size::Whole {
        // A log that reaches its limit and is written back in the middle of everything.
        let Some(worked) = Worked::through(program, &home, Script::Long) else { return };
        let outcome = worked.cut(&home, Trust::All, Effort { every: 60, chosen: 1, random: 1, most: usize::MAX });
        outcome.print("power cut, long log");
        outcome.faults.none("power cut, long log");
    }
}

/// A worker that was not disturbed, and all that it did.
struct Worked {
    run: Run,
    journal: Vec<Entry>,
    ops: Vec<Op>,
}

impl Worked {
    fn through(program: &Path, home: &Home, script: Script) -> Option<Self> {
        let run = undisturbed(program, home, script, "power cut")?;
        let (journal, ops) = (run.journal(), script.ops());
        all_succeeded(&run.reports, &ops);
        the_disk_is_simulated_right(home, &run, &journal);
        Some(Self { run, journal, ops })
    }

    /// Cuts the power while it did that.
    fn cut(&self, home: &Home, trust: Trust, effort: Effort) -> Outcome {
        cut(home, &self.run, &self.journal, &self.ops, trust, effort)
    }
}

/// How much is tried.
#[derive(Clone, Copy)]
struct Effort {
    /// Every which call is a point.
    every: usize,
    /// Prefixes, single losses and single survivors.
    chosen: usize,
    /// Random losses.
    random: usize,
    /// It ends after so many states.
    most: usize,
}

struct Outcome {
    points: usize,
    states: usize,
    during: String,
    slowest: Duration,
    faults: Faults,
}

impl Outcome {
    fn print(&self, campaign: &str) {
        let Self { points, states, during, slowest, faults } = self;
        println!(
            "{campaign}: {points} points, {states} different states of the disk, {} faults, slowest reopen {slowest:?}",
            faults.count
        );
        println!("{campaign}: states during {during}");
    }
}

/// A state of the disk that a power cut may leave, and what it should hold.
struct Cut {
    point: usize,
    image: Image,
    expected: Expected,
}

fn cut(home: &Home, run: &Run, journal: &[Entry], ops: &[Op], trust: Trust, effort: Effort) -> Outcome {
    let mut disk = Disk::new(run.room.path(), trust);
    let mut expected = Expected::nothing();
    let mut seen = BTreeSet::new();
    let (mut points, mut calls) = (0, 0);
    let mut outcome =
        Outcome { points: 0, states: 0, during: String::new(), slowest: Duration::ZERO, faults: Faults::default() };
    let mut during = Vec::new();
    let mut waiting = Vec::new();
    for entry in journal {
        disk.apply(entry);
        if let Event::Said { bytes } = &entry.event {
            for report in Report::all(bytes) {
                follow(&mut expected, ops, report).unwrap();
            }
        }
        if during.len() >= effort.most {
            break;
        }
        // After a report, too: what was just acknowledged is in the greatest danger.
        let reported = matches!(&entry.event, Event::Said { .. });
        calls += usize::from(changes(entry));
        if !(reported || changes(entry) && calls.is_multiple_of(effort.every)) {
            continue;
        }
        points += usize::from(!reported);
        for image in images(&disk, effort, calls as u64) {
            if seen.insert(fingerprint(&image, &expected)) {
                during.push(expected.under_way().map_or_else(|| "nothing".to_owned(), ToString::to_string));
                waiting.push(Cut { point: calls, image, expected: expected.clone() });
            }
        }
        // Not all at once, because they would not fit into memory.
        if waiting.len() > 64 {
            settle(home, &mut waiting, &mut outcome);
        }
    }
    settle(home, &mut waiting, &mut outcome);
    Outcome { points, during: counted(during), ..outcome }
}

/// Checks what is waiting.
fn settle(home: &Home, waiting: &mut Vec<Cut>, outcome: &mut Outcome) {
    let checked = on_all_processors(waiting, |cut| restore(home, cut));
    outcome.states += waiting.len();
    for (cut, checked) in waiting.drain(..).zip(checked) {
        match checked {
            Ok(took) => outcome.slowest = outcome.slowest.max(took),
            Err(what) => outcome.faults.add(format!("at call {}: {what}", cut.point)),
        }
    }
}

fn restore(home: &Home, cut: &Cut) -> Result<Duration, String> {
    let room = home.room();
    lay_out(room.path(), &cut.image);
    check(home, room.path(), &cut.expected)
}

/// Writes the files of an image into a directory.
pub(super) fn lay_out(directory: &Path, image: &Image) {
    for (name, content) in image {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
}

fn fingerprint(image: &Image, expected: &Expected) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.hash(&mut hasher);
    expected.progress().hash(&mut hasher);
    hasher.finish()
}

/// States that a power cut may leave, the likely ones and the mean ones.
fn images(disk: &Disk, effort: Effort, seed: u64) -> Vec<Image> {
    use Fate::{Dropped, Kept, Torn};
    let (changes, namings) = (disk.uncertain(), disk.namings());
    let mut random = Random::new(seed);
    let mut images = vec![disk.image(|_| Dropped, |_| true)];
    if disk.is_certain() {
        return images;
    }
    images.push(disk.image(|_| Dropped, |_| false));
    images.push(disk.image(|_| Kept, |_| true));
    images.push(disk.image(|_| Kept, |_| false));
    let owners = disk.owners();
    for file in owners.iter().copied().collect::<BTreeSet<_>>() {
        images.push(disk.image(|at| if owners[at] == file { Kept } else { Dropped }, |_| true));
        images.push(disk.image(|at| if owners[at] == file { Dropped } else { Kept }, |_| true));
    }
    for _ in 0..effort.chosen.min(changes) {
        let chosen = random.below(changes);
        images.push(disk.image(|at| if at < chosen { Kept } else { Dropped }, |_| true));
        let torn = |at: usize| {
            if at == chosen {
                Torn
            } else if at < chosen {
                Kept
            } else {
                Dropped
            }
        };
        images.push(disk.image(torn, |_| true));
        images.push(disk.image(|at| if at == chosen { Dropped } else { Kept }, |_| true));
        images.push(disk.image(|at| if at == chosen { Kept } else { Dropped }, |_| true));
    }
    for chosen in 0..namings.min(effort.chosen) {
        images.push(disk.image(|_| Kept, |at| at < chosen));
        images.push(disk.image(|_| Dropped, |at| at != chosen));
    }
    for _ in 0..effort.random {
        let fates: Vec<_> = (0..changes).map(|_| [Kept, Dropped, Torn][random.below(3)]).collect();
        let named: Vec<_> = (0..namings).map(|_| random.below(2) == 0).collect();
        images.push(disk.image(|at| fates[at], |at| named[at]));
    }
    // What is in shared memory is never flushed: anything may be there, and nothing.
    for (at, image) in images.iter_mut().enumerate() {
        let shared: Vec<_> = image.keys().filter(|name| name.ends_with("-shm")).cloned().collect();
        for name in shared {
            if at % 3 == 0 {
                image.remove(&name);
            } else if at % 3 == 1
                && let Some(content) = image.get_mut(&name)
            {
                content.iter_mut().for_each(|byte| *byte = random.next().to_le_bytes()[0]);
            }
        }
    }
    images
}

/// With nothing lost, the simulated disk is the real one: the same files, of the same bytes.
fn the_disk_is_simulated_right(home: &Home, run: &Run, journal: &[Entry]) {
    let mut disk = Disk::new(run.room.path(), Trust::All);
    for entry in journal {
        disk.apply(entry);
    }
    let real: Image = std::fs::read_dir(run.room.path())
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let simulated = disk.image(|_| Fate::Kept, |_| true);
    let names = |image: &Image| image.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&simulated), names(&real), "other files");
    for (name, content) in real.iter().filter(|(name, _)| !name.ends_with("-shm")) {
        assert!(simulated[name] == *content, "{name} was written past the journal");
    }
    let store = secretkit_sqlite::SqliteStore::open(&store_in(run.room.path())).unwrap();
    drop(state(&home.secrets(store, 0), home).unwrap());
}
