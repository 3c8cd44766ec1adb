//! After a file was read or written and everything is dropped, the process looks for copies of its values in its own memory.

#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use secretkit_core::SecretValue;
use secretkit_exchange::Format;

/// A line of a value that is long enough to stand nowhere else.
const LINE: usize = 40;

/// What the line holds. It is computed wherever it is needed, so that looking for it leaves no copy.
fn letter(at: usize) -> u8 {
    b'a' + u8::try_from((at * 7 + at / 5 * 3) % 26).unwrap()
}

/// The value in the middle of a file: the line twice, with an escaped line end between.
fn file(before: &[u8], after: &[u8]) -> SecretValue {
    let middle = before.len() + LINE;
    SecretValue::init_with(middle + 2 + LINE + after.len(), |text| {
        text[..before.len()].copy_from_slice(before);
        (0..LINE).for_each(|at| text[before.len() + at] = letter(at));
        text[middle..middle + 2].copy_from_slice(b"\\n");
        (0..LINE).for_each(|at| text[middle + 2 + at] = letter(at));
        text[middle + 2 + LINE..].copy_from_slice(after);
    })
}

/// How often the line stands in what this process can write to.
fn copies() -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut found = 0;
    for map in maps.lines().filter(|map| map.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (start, end) = map.split(' ').next().unwrap().split_once('-').unwrap();
        let mut at = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        while let Ok(read @ LINE..) = memory.read_at(&mut buffer[..(1 << 16).min((end - at) as usize)], at) {
            let is_line = |text: &&[u8]| text.iter().enumerate().all(|(at, byte)| *byte == letter(at));
            found += buffer[..read].windows(LINE).filter(is_line).count();
            // A line may stand on the border.
            at += (read - LINE + 1) as u64;
        }
    }
    // What was found is in here as well.
    buffer.fill(0);
    found
}

#[test]
fn no_copy_of_a_value_is_left_behind() {
    for (format, before, after) in [
        (Format::Dotenv, &b"K=\""[..], &b"\"\n"[..]),
        (Format::Json, b"{\"g\": {\"K\": \"", b"\"}}"),
        (Format::Json, b"{\"K\": \"", b"\"}"),
        (Format::Nextflow, b"[{\"name\": \"KEY\", \"value\": \"", b"\"}]"),
    ] {
        let text = file(before, after);
        let entries = format.read(text.expose_secret()).unwrap();
        assert_eq!(entries[0].value.expose_secret()[LINE], b'\n');
        assert!(copies() >= 4, "the text and the value are held, each with two lines");
        drop(text);
        if entries[0].name.group().is_none() {
            drop(format.write(&entries).unwrap());
        }
        drop(entries);
        assert_eq!(copies(), 0, "{format} {}", String::from_utf8_lossy(before));
    }
}
