//! Files that hold secrets: read up to a limit, written whole or not at all, and for their owner alone.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use secretkit_core::{Error, Result, SecretValue};
use secretkit_files::{Existing, NewFile, Put, directory_of};

use crate::format::MAX_INPUT_BYTES;

/// The whole of a file, or of standard input where the path is `-`, in memory that is wiped.
///
/// # Errors
/// [`Error::File`], and [`Error::TooLarge`] for more than [`MAX_INPUT_BYTES`], of which no more than that is read.
pub fn read_file(path: &Path) -> Result<SecretValue> {
    read_file_up_to(path, MAX_INPUT_BYTES)
}

/// The same with a limit of the caller's own, at most [`SecretValue::MAX_BYTES`].
///
/// # Errors
/// [`Error::File`], and [`Error::TooLarge`] for more than `limit` bytes, of which no more than that is read.
pub fn read_file_up_to(path: &Path, limit: usize) -> Result<SecretValue> {
    let limit = limit.min(SecretValue::MAX_BYTES);
    if path == Path::new("-") {
        let place = Path::new("standard input");
        // A descriptor of its own: the buffer of the standard one would keep a copy.
        let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| Error::file(place, error))?;
        return read_bounded(&mut File::from(input), place, limit);
    }
    let mut file = File::open(path).map_err(|error| Error::file(path, error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::file(path, std::io::ErrorKind::IsADirectory));
    }
    read_bounded(&mut file, path, limit)
}

/// The rest of a file, unless it is longer than the limit.
pub(crate) fn read_bounded(file: &mut File, place: &Path, limit: usize) -> Result<SecretValue> {
    let room = room_for(file.metadata().map_or(0, |metadata| metadata.len()), limit);
    let (mut buffer, mut length) = read_on(file, place, &[], room)?;
    // A pipe tells no length, and a file may grow.
    if length == room && room <= limit {
        (buffer, length) = read_on(file, place, buffer.expose_secret(), limit + 1)?;
    }
    if length > limit {
        return Err(Error::TooLarge { length, limit });
    }
    Ok(SecretValue::copied_from(&buffer.expose_secret()[..length]))
}

/// For what a file of this length holds, and one byte more to see its end. All of it is wiped, used or not, and an import
/// may be of thousands of files.
fn room_for(length: u64, limit: usize) -> usize {
    usize::try_from(length).map_or(limit, |length| length.min(limit)) + 1
}

/// Reads what follows these bytes into a buffer of this size, until that is full or there is no more. Returns how much of
/// it is used.
fn read_on(file: &mut File, place: &Path, begun: &[u8], room: usize) -> Result<(SecretValue, usize)> {
    let mut length = begun.len();
    let buffer = SecretValue::try_init_with(room, |buffer| {
        buffer[..length].copy_from_slice(begun);
        while length < buffer.len() {
            match file.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::file(place, error)),
            }
        }
        Ok(())
    })?;
    Ok((buffer, length))
}

/// Writes a file with mode 0600: under a name of its own, synced, and then moved into place. A link that stands there is
/// replaced and not followed.
///
/// # Errors
/// [`Error::File`]; [`Error::Undeliverable`] where something stands there and is to stay, or is no file.
pub fn write_file(path: &Path, text: &SecretValue, existing: Existing) -> Result<()> {
    refuse_what_is_no_file(path)?;
    match NewFile::written(path, ".secretkit-", text.expose_secret())?.put(existing)? {
        Put::InPlace => Ok(()),
        Put::Taken => Err(stands_there(path)),
    }
}

/// `/dev/stdout` and `/dev/null` are what people name to have the text printed or thrown away. To put a file in their
/// place is what nobody means, and root could.
fn refuse_what_is_no_file(path: &Path) -> Result<()> {
    // Whatever a link into `/proc` or in it leads to just now, it stands for a descriptor of a process. `fd` is on macOS.
    let is_descriptor = std::fs::read_link(path)
        .is_ok_and(|target| target.starts_with("/proc") || target.starts_with("fd"))
        || std::fs::canonicalize(directory_of(path))
            .is_ok_and(|directory| directory.starts_with("/proc") || directory.starts_with("/dev/fd"));
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(Error::file(path, std::io::ErrorKind::IsADirectory)),
        Ok(there) if there.is_file() && !is_descriptor => return Ok(()),
        Err(_) if !is_descriptor => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    let why = "a device, a pipe or an open file of a process stands there, and no file takes its place; write to standard \
               output instead";
    Err(Error::Undeliverable { what: path.display().to_string(), why })
}

/// Refuses a place where something stands that is to stay, before anybody is asked or anything is read for it.
///
/// # Errors
/// [`Error::Undeliverable`].
pub fn check_place(path: &Path, existing: Existing) -> Result<()> {
    if existing == Existing::Refuse && std::fs::symlink_metadata(path).is_ok() {
        return Err(stands_there(path));
    }
    Ok(())
}

pub(crate) fn stands_there(path: &Path) -> Error {
    let why = "something stands there already; name another place, or say that it is to be replaced";
    Error::Undeliverable { what: path.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_buffer_is_as_large_as_its_file() {
        assert_eq!(room_for(3, MAX_INPUT_BYTES), 4);
        assert_eq!(room_for(MAX_INPUT_BYTES as u64, MAX_INPUT_BYTES), MAX_INPUT_BYTES + 1);
        assert_eq!(room_for(u64::MAX, MAX_INPUT_BYTES), MAX_INPUT_BYTES + 1);
    }

    /// What tells no length, or a smaller one than it has.
    #[test]
    fn all_of_a_file_is_read_whatever_its_length_says() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'x'; 4096]).unwrap();
        drop(writer);
        let mut pipe = File::from(std::os::fd::OwnedFd::from(reader));
        assert_eq!(read_bounded(&mut pipe, Path::new("pipe"), 4096).unwrap().expose_secret(), [b'x'; 4096]);
        for (room, expected) in [(1, b"k".as_slice()), (3, b"k3y"), (4, b"k3y")] {
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(b"k3y").unwrap();
            drop(writer);
            let mut pipe = File::from(std::os::fd::OwnedFd::from(reader));
            let (buffer, length) = read_on(&mut pipe, Path::new("pipe"), &[], room).unwrap();
            assert_eq!((&buffer.expose_secret()[..length], buffer.len()), (expected, room));
        }
    }
}
