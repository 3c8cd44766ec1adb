//! An anchor in a file elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use secretkit_core::seal::{Mac, StoreId};
use secretkit_core::store::{Lane, LaneHead};
use secretkit_core::{Advance, Anchored, Error, Part, PartKind, Result, RollbackAnchor};

use secretkit_files::{Existing, NewFile, Put};

/// A [`RollbackAnchor`] in a file, which belongs where whoever can put back the store cannot put it back: on another
/// disk, in another backup. It holds no secret.
///
/// The file names one store; that of another is refused, so that nobody passes a new store off as an old one. It is
/// written anew under a name of its own, synced and moved into place; a lock file beside it keeps writers apart.
#[derive(Debug)]
pub struct FileAnchor {
    path: PathBuf,
}

const HEADING: &str = "secretkit anchor 2";

/// Of a file that says nothing of keyrings.
const HEADING_OF_BEFORE: &str = "secretkit anchor 1";

/// Stands where others have the number of a lane.
const KEYRING: &str = "keyring";

/// As many as the system follows.
const MOST_LINKS: usize = 40;

/// An org takes some 2 KiB; no file of ours comes near this.
const MAX_BYTES: u64 = 64 << 20;

type Orgs = BTreeMap<Part, Anchored>;

impl FileAnchor {
    /// The anchor in this file; the first commit makes it.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self, store: &StoreId) -> Result<Orgs> {
        let failed = |error| Error::file(&self.path, error);
        let mut text = String::new();
        match File::open(&self.path) {
            Ok(file) => {
                file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Orgs::new()),
            Err(error) => return Err(failed(error)),
        }
        parse(&text, store).map_err(|why| self.refused(why))
    }

    fn refused(&self, why: &str) -> Error {
        Error::UnsafeStore { store: format!("anchor {}", self.path.display()), why: why.to_owned() }
    }

    /// Where the file itself is, or is to be: what the path leads to, where it is a link to another disk. Whatever is written
    /// goes beside that, and the link stays.
    fn place(&self) -> Result<PathBuf> {
        let mut place = self.path.clone();
        for _ in 0..MOST_LINKS {
            let Ok(target) = std::fs::read_link(&place) else { return Ok(place) };
            place = place.parent().unwrap_or(Path::new("")).join(target);
        }
        Err(Error::file(&self.path, rustix::io::Errno::LOOP))
    }

    /// Held until it is dropped.
    fn lock(&self, place: &Path) -> Result<impl Drop + use<>> {
        let mut path = place.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| Error::file(&path, errno))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| Error::file(&path, errno))?;
        Ok(file)
    }
}

impl RollbackAnchor for FileAnchor {
    fn load(&self, store: &StoreId, org: &Part) -> Result<Anchored> {
        Ok(self.read(store)?.remove(org).unwrap_or_default())
    }

    fn save(&self, store: &StoreId, org: &Part, reached: &Anchored) -> Result<()> {
        let place = self.place()?;
        let _held = self.lock(&place)?;
        let mut orgs = self.read(store)?;
        match orgs.entry(org.clone()).or_default().advance(reached) {
            Advance::Unchanged => Ok(()),
            Advance::Moved => write(&place, store, &orgs),
            Advance::AnotherWay => {
                Err(self.refused("remembers other events than the store has: an old copy of it was written to"))
            }
        }
    }
}

fn write(place: &Path, store: &StoreId, orgs: &Orgs) -> Result<()> {
    let text = print(store, orgs);
    NewFile::written(place, ".secretkit-anchor-", text.as_bytes())?.put(Existing::Replace).map(|_: Put| ())
}

fn print(store: &StoreId, orgs: &Orgs) -> String {
    let mut text = format!("{HEADING}\nstore {}\n", hex(store.as_bytes()));
    for (org, Anchored { keyring, lanes }) in orgs {
        if *keyring > 0 {
            let _written = writeln!(text, "{org} {KEYRING} {keyring}");
        }
        for (lane, LaneHead { seq, mac }) in lanes {
            // Writing to a text cannot fail.
            let _written = writeln!(text, "{org} {lane} {seq} {}", hex(mac));
        }
    }
    text
}

fn parse(text: &str, store: &StoreId) -> Result<Orgs, &'static str> {
    const MALFORMED: &str =
        "is not what secretkit writes; restore it, or accept that a rollback was not noticed by removing it";
    let mut lines = text.strip_suffix('\n').ok_or(MALFORMED)?.split('\n');
    let has_keyrings = match lines.next() {
        Some(HEADING) => true,
        Some(HEADING_OF_BEFORE) => false,
        _ => return Err(MALFORMED),
    };
    let of = lines.next().and_then(|line| line.strip_prefix("store ")).and_then(unhex::<16>).ok_or(MALFORMED)?;
    if of != *store.as_bytes() {
        return Err("belongs to another store; name that store's own anchor");
    }
    let mut orgs = Orgs::new();
    for line in lines {
        if let Some((org, version)) = keyring(line).filter(|_| has_keyrings) {
            // It comes first, once.
            if orgs.insert(org, Anchored { keyring: version, lanes: Vec::new() }).is_some() {
                return Err(MALFORMED);
            }
            continue;
        }
        let (org, lane, head) = entry(line).ok_or(MALFORMED)?;
        let lanes = &mut orgs.entry(org).or_default().lanes;
        // Written in their order, each once.
        if lanes.last().is_some_and(|(last, _)| *last >= lane) {
            return Err(MALFORMED);
        }
        lanes.push((lane, head));
    }
    Ok(orgs)
}

fn keyring(line: &str) -> Option<(Part, u64)> {
    let (org, version) = line.split_once(' ')?;
    let version = version.strip_prefix(KEYRING)?.strip_prefix(' ')?.parse().ok().filter(|version| *version > 0)?;
    Some((Part::parse(PartKind::Org, org).ok()?, version))
}

fn entry(line: &str) -> Option<(Part, Lane, LaneHead)> {
    let mut words = line.split(' ');
    let org = Part::parse(PartKind::Org, words.next()?).ok()?;
    let lane = Lane::new(words.next()?.parse().ok()?)?;
    let seq = words.next()?.parse().ok()?;
    let mac = unhex::<{ Mac::BYTES }>(words.next()?)?;
    words.next().is_none().then_some((org, lane, LaneHead { seq, mac }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> LaneHead {
        LaneHead { seq, mac: [u8::try_from(seq).unwrap(); Mac::BYTES] }
    }

    fn at(lane: Lane, seqs: impl IntoIterator<Item = u64>) -> Anchored {
        Anchored { keyring: 0, lanes: seqs.into_iter().map(|seq| (lane, head(seq))).collect() }
    }

    fn org(name: &str) -> Part {
        Part::parse(PartKind::Org, name).unwrap()
    }

    #[test]
    fn it_only_moves_on() {
        let directory = tempfile::tempdir().unwrap();
        let anchor = FileAnchor::new(directory.path().join("anchor"));
        let (store, acme, lane) = (StoreId::from_bytes([7; 16]), org("acme"), Lane::new(3).unwrap());
        assert!(anchor.load(&store, &acme).unwrap() == Anchored::default());
        anchor.save(&store, &acme, &at(lane, [5])).unwrap();
        anchor.save(&store, &acme, &at(lane, [4])).unwrap();
        anchor.save(&store, &org("other"), &at(lane, [1])).unwrap();
        assert_eq!(anchor.load(&store, &acme).unwrap(), at(lane, [5]));
        assert_eq!(anchor.load(&store, &org("other")).unwrap(), at(lane, [1]));
        // The one that it knows under number 5 is another.
        let other =
            Anchored { keyring: 0, lanes: vec![(lane, LaneHead { mac: [0; Mac::BYTES], ..head(5) }), (lane, head(6))] };
        assert!(anchor.save(&store, &acme, &other).is_err(), "a store that went another way");
        assert_eq!(anchor.load(&store, &acme).unwrap(), at(lane, [5]));
        let another = StoreId::from_bytes([8; 16]);
        assert!(anchor.load(&another, &acme).is_err(), "another store under the same anchor");
        assert!(anchor.save(&another, &acme, &at(lane, [9])).is_err());
    }

    #[test]
    fn a_link_leads_to_it_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (here, there) = (directory.path().join("here"), directory.path().join("there"));
        std::fs::create_dir(&here).unwrap();
        std::fs::create_dir(&there).unwrap();
        let (link, file) = (here.join("anchor"), there.join("kept"));
        std::os::unix::fs::symlink("../there/link", &link).unwrap();
        std::os::unix::fs::symlink("kept", there.join("link")).unwrap();
        let (store, acme, lane) = (StoreId::from_bytes([7; 16]), org("acme"), Lane::new(3).unwrap());
        for seq in [1, 2] {
            FileAnchor::new(link.clone()).save(&store, &acme, &at(lane, [seq])).unwrap();
            assert!(link.is_symlink() && !file.is_symlink());
            assert_eq!(FileAnchor::new(file.clone()).load(&store, &acme).unwrap(), at(lane, [seq]));
        }
        // Nothing of it lies where the link is.
        assert_eq!(std::fs::read_dir(&here).unwrap().count(), 1);
        std::os::unix::fs::symlink("round", here.join("round")).unwrap();
        assert!(FileAnchor::new(here.join("round")).save(&store, &acme, &at(lane, [1])).is_err());
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor");
        let (store, acme) = (StoreId::from_bytes([7; 16]), org("acme"));
        std::thread::scope(|scope| {
            for lane in Lane::all() {
                let (anchor, store, acme) = (FileAnchor::new(path.clone()), &store, &acme);
                scope.spawn(move || (1..=5).for_each(|seq| anchor.save(store, acme, &at(lane, [seq])).unwrap()));
            }
        });
        let lanes = FileAnchor::new(path).load(&store, &acme).unwrap();
        assert_eq!(lanes, Anchored { keyring: 0, lanes: Lane::all().map(|lane| (lane, head(5))).collect() });
    }

    #[test]
    fn nothing_else_is_an_anchor() {
        let store = StoreId::from_bytes([7; 16]);
        let known = |keyring| Orgs::from([(org("acme"), Anchored { keyring, ..at(Lane::new(1).unwrap(), [2]) })]);
        let whole = print(&store, &known(7));
        assert_eq!(parse(&whole, &store), Ok(known(7)));
        let of_before = print(&store, &known(0)).replace("anchor 2", "anchor 1");
        assert_eq!(parse(&of_before, &store), Ok(known(0)));
        for text in [
            String::new(),
            "\n".to_owned(),
            whole.replace("anchor 2", "anchor 3"),
            whole.replace("anchor 2", "anchor 1"),
            whole.replace("keyring 7", "keyring 0"),
            whole.replace("keyring 7", "keyring -1"),
            whole.clone() + "acme keyring 8\n",
            whole.trim_end().to_owned(),
            whole.replace("acme 1 2", "acme 16 2"),
            whole.replace("acme 1 2", "acme 1 -2"),
            whole.replace("acme 1 2", "../x 1 2"),
            whole.replace("acme", "acme "),
            whole.clone() + "acme 1 3 00\n",
            whole.clone() + whole.lines().last().unwrap() + "\n",
            whole.clone() + "\n",
        ] {
            assert!(parse(&text, &store).is_err(), "{text:?}");
        }
    }
}
