//! Bytes in, bytes out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::sandbox::{CANARY, Sandbox, text};

#[test]
fn every_legal_value_is_kept_exactly() {
    let all: Vec<u8> = (0..=255).collect();
    let limit = vec![b'x'; secretkit::Secrets::DEFAULT_VALUE_LIMIT];
    let values: [&[u8]; 9] =
        [b"", &all, b"\xff\xfe\x80", b"with an end of its line\n", b"\n", b"crlf\r\n", b" blanks ", b"a\0b", &limit];
    for (number, value) in values.into_iter().enumerate() {
        let sandbox = Sandbox::new();
        let file = sandbox.file("value", value);
        let created = sandbox.ok(["create", "from-file", "--file", &text(&file), "--allow-empty"]);
        let piped = sandbox.run_with(["create", "from-input", "-f", "-", "--allow-empty"], value, &[]);
        for name in ["from-file", "from-input"] {
            assert_eq!(sandbox.ok(["reveal", name]).stdout, value, "value {number} through {name}");
        }
        for outcome in [created, piped] {
            let warned = outcome.stderr.contains("--trim-newline");
            assert_eq!(warned, value.ends_with(b"\n"), "value {number}: {outcome:?}");
        }
    }
}

#[test]
fn how_long_a_value_may_be_can_be_said() {
    let sandbox = Sandbox::new();
    let limited = |arguments: &[&str], length: usize, limit: &str| {
        let limit = [("SECRETKIT_VALUE_LIMIT", OsStr::new(limit))];
        sandbox.run_with(arguments, &vec![b'x'; length], &limit)
    };
    let set = ["set", "big", "-f", "-", "--overwrite"];
    for (length, limit, code) in
        [(100_000, "100000", 0), (100_001, "100000", 15), (1 << 20, "1048576", 0), ((1 << 20) + 1, "1048576", 15)]
    {
        let outcome = limited(&set, length, limit);
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert_eq!(outcome.stderr.contains(&format!("more than {limit} bytes")), code != 0, "{outcome:?}");
    }
    assert_eq!(limited(&["verify-value", "big", "-f", "-"], 1 << 20, "1048576").code, 0);
    let long = text(&sandbox.file(".env", format!("LONG={}\n", "x".repeat(70_000))));
    assert_eq!((limited(&["import", &long], 0, "").code, limited(&["import", &long], 0, "70000").code), (15, 0));
    for limit in ["0", "1048577", "64k", "-1"] {
        assert_eq!(limited(&["list"], 0, limit).code, 12, "{limit}");
    }
}

#[test]
fn a_value_on_the_command_line_works_and_warns() {
    let sandbox = Sandbox::new();
    let bytes = OsStr::from_bytes(b"not \xff text");
    let ways: [(&str, Vec<&OsStr>, &[u8]); 4] = [
        ("positional", vec![OsStr::new("hunter two")], b"hunter two"),
        ("option", vec![OsStr::new("-v"), OsStr::new("hunter two")], b"hunter two"),
        ("dash", vec![OsStr::new("--value=--dashed")], b"--dashed"),
        ("bytes", vec![bytes], b"not \xff text"),
    ];
    for (name, arguments, value) in ways {
        let outcome = sandbox.ok([OsStr::new("create"), OsStr::new(name)].into_iter().chain(arguments));
        assert!(outcome.stderr.contains("warning: a value on the command line"), "{outcome:?}");
        assert_eq!(sandbox.value(name, "default"), value, "{name}");
    }
    let quiet = sandbox.ok(["create", "quiet", "hunter two", "--quiet"]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn trim_newline_drops_one_line_end() {
    let sandbox = Sandbox::new();
    for (number, (given, kept)) in
        [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("a\r", "a\r"), ("\n\n", "\n")]
            .into_iter()
            .enumerate()
    {
        let name = format!("value{number}");
        let outcome = sandbox.run_with(["create", &name, "-f", "-", "--trim-newline"], given.as_bytes(), &[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(sandbox.value(&name, "default"), kept.as_bytes(), "{given:?}");
        assert_eq!(outcome.stderr.contains("ends in a newline"), kept.ends_with('\n'), "{outcome:?}");
    }
}

#[test]
fn an_empty_value_is_kept_only_where_it_is_meant() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let nothing = text(&sandbox.file("nothing", b""));
    let ways: [&[&str]; 6] = [
        &["-f", "-"],
        &["-f", &nothing],
        &["-f", "-", "--base64"],
        &["-f", "-", "--trim-newline"],
        &["--value="],
        &[""],
    ];
    for way in ways {
        let input: &[u8] = if way.contains(&"--trim-newline") { b"\n" } else { b"" };
        for command in ["update", "set"] {
            let name = if command == "set" { "new" } else { "token" };
            let arguments = [&[command, name], way].concat();
            let outcome = sandbox.run_with(&arguments, input, &[]);
            assert_eq!((outcome.code, outcome.text().as_str()), (16, ""), "{arguments:?}: {outcome:?}");
            assert!(outcome.stderr.contains("--allow-empty"), "{outcome:?}");
        }
        assert_eq!(sandbox.value("token", "default"), CANARY.as_bytes(), "{way:?}");
        assert_eq!(sandbox.run(["show", "new"]).code, 20, "{way:?}");
        let meant = [&["set", "meant", "--overwrite", "--allow-empty"], way].concat();
        assert_eq!(sandbox.run_with(&meant, input, &[]).code, 0, "{meant:?}");
        assert_eq!(sandbox.value("meant", "default"), b"", "{meant:?}");
    }
    let file = text(&sandbox.file(".env", "A=\n"));
    sandbox.ok(["import", &file]);
    assert_eq!(sandbox.value("A", "default"), b"");
}

#[test]
fn base64_is_stored_decoded() {
    let sandbox = Sandbox::new();
    sandbox.ok(["set", "argument", "aGVsbG8=", "--base64"]);
    let file = sandbox.file("value.b64", "AAECAwQ=\n");
    sandbox.ok(["set", "file", "--file", &text(&file), "--base64", "--trim-newline"]);
    assert_eq!(sandbox.value("argument", "default"), b"hello");
    assert_eq!(sandbox.value("file", "default"), [0, 1, 2, 3, 4]);
    // What decodes to the limit is longer than the limit as text.
    let limit = secretkit::Secrets::DEFAULT_VALUE_LIMIT;
    let zeros = "A".repeat(limit / 3 * 4);
    let outcome = sandbox.run_with(["set", "long", "-f", "-", "--base64"], zeros.as_bytes(), &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(sandbox.value("long", "default").len(), limit / 3 * 3);
}

#[test]
fn overwriting_keeps_the_id_and_says_what_it_did() {
    let sandbox = Sandbox::new();
    let created = sandbox.run_with(["set", "key", "-f", "-", "--overwrite", "-o", "json"], b"one", &[]);
    let updated = sandbox.run_with(["set", "key", "-f", "-", "--overwrite", "-o", "json"], b"two", &[]);
    assert!(created.stderr.contains("created default:key, revision 1"), "{created:?}");
    assert!(updated.stderr.contains("updated default:key, revision 2"), "{updated:?}");
    assert_eq!(created.json()["id"], updated.json()["id"]);
    assert_eq!(sandbox.value("key", "default"), b"two");
}
