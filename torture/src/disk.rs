//! What is on a disk, and what a power cut may leave of it.
//!
//! A write is certain once its file was flushed, and a name once its directory was. Of everything else any part may be
//! there and any part missing. A write whose flush failed stays uncertain for ever, however often the file is flushed
//! afterwards: the kernel has forgotten that it is to be written.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::trap::{Entry, Event};

/// Which flushes the disk takes seriously.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// All of them, as it should.
    All,
    /// Not those of write-ahead logs: what `synchronous=NORMAL` would leave out.
    NotLogs,
    /// None of them: what `synchronous=OFF` would be.
    Nothing,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Certainty {
    Pending,
    /// Its flush failed.
    Doubtful,
    Certain,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// One file, whatever it is called.
#[derive(Clone, Debug, Default)]
struct File {
    /// What is certain.
    certain: Vec<u8>,
    /// What happened since, in order.
    changes: Vec<(Change, Certainty)>,
}

/// A change of names that happens at once or not at all.
#[derive(Clone, Debug)]
struct Naming {
    names: Vec<(String, Option<usize>)>,
}

#[derive(Clone, Debug)]
struct Handle {
    /// `None` for the directory.
    file: Option<usize>,
    name: String,
    position: usize,
}

/// One directory, and all files in it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    directory: String,
    trust: Trust,
    files: Vec<File>,
    /// What the names stand for now.
    names: BTreeMap<String, usize>,
    certain_names: BTreeMap<String, usize>,
    namings: Vec<Naming>,
    handles: HashMap<i32, Handle>,
}

/// The files of a directory after a power cut.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// How much of a write reaches the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Kept,
    Dropped,
    /// Its first half, as far as whole sectors go.
    Torn,
}

const SECTOR: usize = 512;

impl Disk {
    pub(crate) fn new(directory: &Path, trust: Trust) -> Self {
        Self {
            directory: directory.display().to_string(),
            trust,
            files: Vec::new(),
            names: BTreeMap::new(),
            certain_names: BTreeMap::new(),
            namings: Vec::new(),
            handles: HashMap::new(),
        }
    }

    /// Does what the process did. Says whether the disk is another one by now.
    pub(crate) fn apply(&mut self, entry: &Entry) -> bool {
        let done = entry.outcome >= 0;
        match &entry.event {
            Event::Open { path, flags } if done => self.open(path, *flags, entry.outcome as i32),
            Event::Close { descriptor } => {
                self.handles.remove(descriptor);
                false
            }
            Event::Write { descriptor, at, bytes } if done => {
                let Some(handle) = self.handles.get_mut(descriptor) else { return false };
                let at = at.map_or(handle.position, |at| at as usize);
                handle.position = at + bytes.len();
                let change = Change::Write { at, bytes: bytes.clone() };
                self.change(*descriptor, change)
            }
            Event::Truncate { descriptor, length } if done => {
                self.change(*descriptor, Change::Truncate(*length as usize))
            }
            Event::Sync { descriptor } => self.sync(*descriptor, done),
            Event::Unlink { path } if done => {
                let name = self.name(path);
                self.rename(vec![(name, None)])
            }
            Event::Rename { from, to } if done => {
                let (from, to) = (self.name(from), self.name(to));
                let file = self.names.get(&from).copied();
                self.rename(vec![(to, file), (from, None)])
            }
            Event::Link { from, to } if done => {
                let (from, to) = (self.name(from), self.name(to));
                let file = self.names.get(&from).copied();
                self.rename(vec![(to, file)])
            }
            _ => false,
        }
    }

    fn name(&self, path: &str) -> String {
        path.strip_prefix(&self.directory).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    fn open(&mut self, path: &str, flags: i32, descriptor: i32) -> bool {
        let name = self.name(path);
        if name.is_empty() {
            self.handles.insert(descriptor, Handle { file: None, name, position: 0 });
            return false;
        }
        let known = self.names.get(&name).copied();
        let file = known.unwrap_or_else(|| {
            self.files.push(File::default());
            self.rename(vec![(name.clone(), Some(self.files.len() - 1))]);
            self.files.len() - 1
        });
        self.handles.insert(descriptor, Handle { file: Some(file), name, position: 0 });
        if known.is_some() && flags & libc::O_TRUNC != 0 {
            self.change(descriptor, Change::Truncate(0));
        }
        known.is_none() || flags & libc::O_TRUNC != 0
    }

    fn change(&mut self, descriptor: i32, change: Change) -> bool {
        let file = self.handles.get(&descriptor).and_then(|handle| handle.file);
        let Some(file) = file.and_then(|file| self.files.get_mut(file)) else { return false };
        file.changes.push((change, Certainty::Pending));
        true
    }

    fn rename(&mut self, names: Vec<(String, Option<usize>)>) -> bool {
        give_names(&mut self.names, &names);
        self.namings.push(Naming { names });
        true
    }

    fn sync(&mut self, descriptor: i32, done: bool) -> bool {
        let Some(handle) = self.handles.get(&descriptor) else { return false };
        let ignored = match self.trust {
            Trust::All => false,
            Trust::NotLogs => handle.name.ends_with("-wal"),
            Trust::Nothing => true,
        };
        match handle.file {
            _ if ignored => {}
            None if done => {
                for naming in self.namings.drain(..) {
                    give_names(&mut self.certain_names, &naming.names);
                }
            }
            None => {}
            Some(file) => self.files[file].sync(done),
        }
        true
    }

    /// Whether a power cut now could lose anything.
    pub(crate) fn is_certain(&self) -> bool {
        self.namings.is_empty() && self.files.iter().all(|file| file.changes.is_empty())
    }

    /// How many changes of files are uncertain, in the order of [`image`](Self::image).
    pub(crate) fn uncertain(&self) -> usize {
        self.files.iter().map(File::uncertain).sum()
    }

    /// To which file each uncertain change belongs.
    pub(crate) fn owners(&self) -> Vec<usize> {
        let owners = |(at, file): (usize, &File)| vec![at; file.uncertain()];
        self.files.iter().enumerate().flat_map(owners).collect()
    }

    /// How many changes of names are uncertain.
    pub(crate) fn namings(&self) -> usize {
        self.namings.len()
    }

    /// What a power cut leaves: of the uncertain changes those that `fate` keeps, and the names likewise.
    pub(crate) fn image(&self, fate: impl Fn(usize) -> Fate, named: impl Fn(usize) -> bool) -> Image {
        let mut names = self.certain_names.clone();
        for (_, naming) in self.namings.iter().enumerate().filter(|(at, _)| named(*at)) {
            give_names(&mut names, &naming.names);
        }
        let starts = self.files.iter().scan(0, |start, file| {
            let this = *start;
            *start += file.uncertain();
            Some(this)
        });
        let starts: Vec<usize> = starts.collect();
        let content = |file: usize| self.files[file].content(|at| fate(starts[file] + at));
        names.into_iter().map(|(name, file)| (name, content(file))).collect()
    }
}

fn give_names(names: &mut BTreeMap<String, usize>, changes: &[(String, Option<usize>)]) {
    for (name, file) in changes {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

impl File {
    fn sync(&mut self, done: bool) {
        let certainty = if done { Certainty::Certain } else { Certainty::Doubtful };
        for (_, known) in self.changes.iter_mut().filter(|(_, known)| *known == Certainty::Pending) {
            *known = certainty;
        }
        // What comes before the first uncertain change needs no more thought.
        let settled = self.changes.iter().take_while(|(_, known)| *known == Certainty::Certain).count();
        for (change, _) in self.changes.drain(..settled) {
            apply(&mut self.certain, &change, Fate::Kept);
        }
    }

    fn uncertain(&self) -> usize {
        self.changes.iter().filter(|(_, known)| *known != Certainty::Certain).count()
    }

    fn content(&self, fate: impl Fn(usize) -> Fate) -> Vec<u8> {
        let mut content = self.certain.clone();
        let mut at = 0;
        for (change, known) in &self.changes {
            if *known == Certainty::Certain {
                apply(&mut content, change, Fate::Kept);
            } else {
                apply(&mut content, change, fate(at));
                at += 1;
            }
        }
        content
    }
}

fn apply(content: &mut Vec<u8>, change: &Change, fate: Fate) {
    match (change, fate) {
        (_, Fate::Dropped) | (Change::Truncate(_), Fate::Torn) => {}
        (Change::Truncate(length), Fate::Kept) => content.resize(*length, 0),
        (Change::Write { at, bytes }, Fate::Kept) => write(content, *at, bytes),
        (Change::Write { at, bytes }, Fate::Torn) => {
            // Sectors are written whole, wherever the write begins.
            let end = (at + bytes.len() / 2) / SECTOR * SECTOR;
            write(content, *at, &bytes[..end.saturating_sub(*at)]);
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(event: Event, outcome: i64) -> Entry {
        Entry { event, outcome }
    }

    fn written(at: u64, bytes: &[u8]) -> Entry {
        done(Event::Write { descriptor: 3, at: Some(at), bytes: bytes.to_vec() }, bytes.len() as i64)
    }

    fn disk(entries: &[Entry]) -> Disk {
        let mut disk = Disk::new(Path::new("/d"), Trust::All);
        for entry in entries {
            disk.apply(entry);
        }
        disk
    }

    fn open(path: &str, descriptor: i64) -> Entry {
        done(Event::Open { path: path.to_owned(), flags: libc::O_CREAT | libc::O_RDWR }, descriptor)
    }

    fn flushed(descriptor: i32, outcome: i64) -> Entry {
        done(Event::Sync { descriptor }, outcome)
    }

    #[test]
    fn what_was_not_flushed_may_be_lost_and_what_was_may_not() {
        let named = [open("/d", 4), open("/d/f", 3), flushed(4, 0)];
        let mut entries = named.to_vec();
        entries.extend([written(0, b"abcd"), flushed(3, 0), written(2, b"XY"), written(6, b"Z")]);
        let disk = disk(&entries);
        let content = |fate: fn(usize) -> Fate| disk.image(fate, |_| true)["f"].clone();
        assert_eq!(content(|_| Fate::Dropped), b"abcd");
        assert_eq!(content(|_| Fate::Kept), b"abXY\0\0Z");
        assert_eq!(content(|at| if at == 1 { Fate::Kept } else { Fate::Dropped }), b"abcd\0\0Z");
    }

    #[test]
    fn a_name_is_lost_with_its_directory() {
        let entries = [open("/d", 4), open("/d/f", 3), written(0, b"a"), flushed(3, 0)];
        assert!(disk(&entries).image(|_| Fate::Kept, |_| false).is_empty());
        assert_eq!(disk(&entries).image(|_| Fate::Dropped, |_| true)["f"], b"a");
        let rename = done(Event::Rename { from: "/d/f".to_owned(), to: "/d/g".to_owned() }, 0);
        let disk = disk(&[entries.as_slice(), &[flushed(4, 0), rename]].concat());
        assert_eq!(disk.image(|_| Fate::Kept, |_| false).keys().collect::<Vec<_>>(), ["f"]);
        assert_eq!(disk.image(|_| Fate::Kept, |_| true).keys().collect::<Vec<_>>(), ["g"]);
    }

    #[test]
    fn what_failed_to_be_flushed_stays_in_doubt() {
        let entries =
            [open("/d", 4), open("/d/f", 3), flushed(4, 0), written(0, b"a"), flushed(3, -5), written(1, b"b")];
        let disk = disk(&[entries.as_slice(), &[flushed(3, 0)]].concat());
        assert_eq!(disk.image(|_| Fate::Dropped, |_| true)["f"], b"\0b");
        assert_eq!(disk.image(|_| Fate::Kept, |_| true)["f"], b"ab");
    }
}
