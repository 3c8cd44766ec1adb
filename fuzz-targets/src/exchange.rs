//! Files in and out: what was read is written, and read again as the same; a fault is told without its text.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use secretkit_core::{Error, SecretValue};
use secretkit_exchange::{Entry, Existing, Format, Template, read_directory, write_directory};

use crate::files::with_scratch;

pub(crate) fn dotenv(data: &[u8]) {
    text(Format::Dotenv, data);
}

pub(crate) fn json(data: &[u8]) {
    text(Format::Json, data);
}

pub(crate) fn nextflow(data: &[u8]) {
    text(Format::Nextflow, data);
}

fn text(format: Format, data: &[u8]) {
    let entries = match format.read(data) {
        Ok(entries) => entries,
        Err(error) => return says_nothing_of(data, &error),
    };
    for (at, entry) in entries.iter().enumerate() {
        assert!(entries[..at].iter().all(|before| before.name != entry.name), "each name stands once");
    }
    // Any format may hold what another has read; where it cannot, it says so.
    for other in [Format::Dotenv, Format::Json, Format::Nextflow] {
        match other.write(&entries) {
            Ok(written) => same(other, entries.clone(), other.read(written.expose_secret()).unwrap()),
            Err(Error::Undeliverable { .. } | Error::TooLarge { .. }) => {}
            Err(error) => panic!("{other}: {error:?}"),
        }
    }
}

fn same(format: Format, mut before: Vec<Entry>, mut after: Vec<Entry>) {
    if format == Format::Nextflow {
        before.sort_by(|one, other| one.name.cmp(&other.name));
        after.sort_by(|one, other| one.name.cmp(&other.name));
    }
    assert_eq!(before.len(), after.len(), "{format}");
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(one.name, other.name, "{format}");
        assert_eq!(one.value.expose_secret(), other.value.expose_secret(), "{format}: {}", one.name);
    }
}

/// A word that marks a value never comes back in an error.
fn says_nothing_of(data: &[u8], error: &Error) {
    let marked = data.windows(6).any(|window| window == b"cAnArY");
    let told = format!("{error} {error:?}");
    assert!(!marked || !told.contains("cAnArY"), "{told}");
}

/// Values of a template arrive as they are, where its dry run shows their names.
pub(crate) fn template(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let template = match Template::parse(source) {
        Ok(template) => template,
        Err(error) => return says_nothing_of(data, &error),
    };
    let names: Vec<_> = template.names().cloned().collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "each name is asked for once");
        assert!(template.line_of(name).is_none_or(|line| (1..=source.lines().count().max(1)).contains(&line)));
    }
    let values: Vec<_> =
        names.iter().map(|name| SecretValue::copied_from(format!("<SECRET:{name}>").as_bytes())).collect();
    let value = |name: &_| names.iter().position(|known| known == name).map(|at| &values[at]);
    match template.render(value) {
        Ok(rendered) => assert_eq!(rendered.expose_secret(), template.dry_run().as_bytes()),
        Err(Error::TooLarge { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(template.render(|_| None).is_ok(), names.is_empty(), "what is asked for must be given");
}

/// What stands beside the directory, and in no file of it.
const OUTSIDE: &[u8] = b"cAnArY outside the directory";

/// A directory of files: lines of `PATH=CONTENT`, or `PATH->TARGET` for a link.
pub(crate) fn directory(data: &[u8]) {
    with_scratch(|scratch| {
        let (given, written) = (scratch.join("given"), scratch.join("written"));
        fs::create_dir(&given).unwrap();
        fs::write(scratch.join("outside"), OUTSIDE).unwrap();
        if data.windows(OUTSIDE.len()).any(|window| window == OUTSIDE) {
            return;
        }
        data.split(|byte| *byte == b'\n').take(16).for_each(|line| plant(&given, line));
        let entries = match read_directory(&given) {
            Ok(entries) => entries,
            // The name of a file is no value, and may be told.
            Err(_) if data.windows(6).any(|window| window == b"cAnArY") => return,
            Err(error) => return says_nothing_of(OUTSIDE, &error),
        };
        let outside = entries.iter().any(|entry| entry.value.expose_secret() == OUTSIDE);
        assert!(!outside, "a link led out of the directory");
        match write_directory(&written, &entries, Existing::Refuse) {
            Ok(()) => {
                let again = read_directory(&written).unwrap();
                let lower = |entry: &Entry| Entry {
                    name: entry.name.to_string().to_ascii_lowercase().parse().unwrap(),
                    value: entry.value.clone(),
                };
                let mut expected: Vec<_> = entries.iter().map(lower).collect();
                expected.sort_by(|one, other| one.name.cmp(&other.name));
                same(Format::Directory, expected, again);
            }
            Err(Error::Undeliverable { .. }) => assert!(!written.exists(), "nothing is left of what was refused"),
            Err(error) => panic!("{error:?}"),
        }
    });
}

/// What the file system refuses is left out.
fn plant(directory: &Path, line: &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b'=' | b'-')).unwrap_or(line.len());
    let (path, content) = line.split_at(end);
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let harmless = path.components().all(|component| matches!(component, Component::Normal(_)));
    if !harmless || path.components().count() > 3 {
        return;
    }
    let place = directory.join(path);
    if let Some(parent) = place.parent() {
        let _ = fs::create_dir_all(parent);
    }
    let _ = match content.strip_prefix(b"->") {
        Some(target) => {
            let target = Path::new(std::ffi::OsStr::from_bytes(target));
            // Nothing of this machine: what is linked to is in the scratch directory, or is not there.
            let leads_away = target.is_absolute() || target.starts_with("../../..");
            if leads_away { Ok(()) } else { std::os::unix::fs::symlink(target, &place) }
        }
        None => fs::write(&place, content.strip_prefix(b"=").unwrap_or(content)),
    };
}
