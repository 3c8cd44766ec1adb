//! The architecture's invariants, checked against the source tree. `docs/architecture.md` names each of these tests.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every hand-written source file under these folders, with its path relative to the root.
fn sources(folders: &[&str], endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> =
        folders.iter().map(|folder| root().join(folder)).filter(|path| path.exists()).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let skipped = ["target", "__pycache__", "node_modules"];
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !skipped.contains(&name.as_str()) && !name.starts_with('.') {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no source under {folders:?}");
    found
}

/// The part of a file that ships: what stands before its tests.
fn shipped(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

const CRATES: [&str; 10] = [
    "secretkit-core",
    "secretkit-files",
    "secretkit-sqlite",
    "secretkit-postgres",
    "secretkit-cache",
    "secretkit-observe",
    "secretkit",
    "secretkit-exchange",
    "secretkit-cli",
    "secretkit-py",
];

#[test]
fn values_are_exposed_in_few_files() {
    let allowed: BTreeSet<&str> = [
        // The type, text forms, sealing, and the two that hand a value to a task.
        "secretkit-core/src/value.rs",
        "secretkit-core/src/encoding.rs",
        "secretkit-core/src/seal/keyring.rs",
        "secretkit-core/src/seal/keyset.rs",
        "secretkit-core/src/seal/passphrase.rs",
        "secretkit-core/src/seal/primitives.rs",
        "secretkit-core/src/seal/provider.rs",
        "secretkit-core/src/seal/root.rs",
        "secretkit-core/src/seal/sealed.rs",
        "secretkit-core/src/deliver/environment.rs",
        "secretkit-core/src/deliver/mount.rs",
        // The file that the first write puts a new root key into.
        "secretkit/src/first_use.rs",
        // The texts and files that people move secrets in.
        "secretkit-exchange/src/directory.rs",
        "secretkit-exchange/src/dotenv.rs",
        "secretkit-exchange/src/file.rs",
        "secretkit-exchange/src/json.rs",
        "secretkit-exchange/src/nextflow.rs",
        "secretkit-exchange/src/template.rs",
        "secretkit-exchange/src/transfer.rs",
        // Where a person or a task gets what they asked for.
        "secretkit-cli/src/commands/export.rs",
        "secretkit-cli/src/commands/render.rs",
        "secretkit-cli/src/input.rs",
        "secretkit-cli/src/passphrase.rs",
        "secretkit-cli/src/commands/reveal.rs",
        "secretkit-cli/src/commands/run/child.rs",
        "secretkit-py/src/value.rs",
    ]
    .into();
    let folders: Vec<String> = CRATES.iter().map(|krate| format!("{krate}/src")).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let exposing: BTreeSet<String> = sources(&folders, &[".rs"])
        .into_iter()
        .filter(|(path, _)| !["/conformance", "/tests/", "/tests.rs"].iter().any(|part| path.contains(part)))
        .filter(|(_, text)| {
            shipped(text).lines().any(|line| line.contains("expose_secret") && !line.trim_start().starts_with("//"))
        })
        .map(|(path, _)| path)
        .collect();
    let surprising: Vec<_> = exposing.iter().filter(|path| !allowed.contains(path.as_str())).collect();
    assert!(surprising.is_empty(), "these expose values and are not on the list: {surprising:?}");
    let stale: Vec<_> = allowed.iter().filter(|path| !exposing.contains(**path)).collect();
    assert!(stale.is_empty(), "these are on the list and expose nothing: {stale:?}");
}

#[test]
fn every_cryptographic_call_is_in_one_file() {
    let crates =
        ["aes_gcm_siv", "argon2::", "blake2::", "hkdf::", "hmac::", "sha2::", "polyval::", "getrandom::", "subtle::"];
    for (path, text) in sources(&["secretkit-core/src", "secretkit-sqlite/src", "secretkit/src"], &[".rs"]) {
        let named = crates.iter().find(|name| shipped(&text).contains(**name));
        let is_the_file = path == "secretkit-core/src/seal/primitives.rs";
        assert!(named.is_none() || is_the_file || path.contains("internals"), "{path} names {named:?}");
    }
}

#[test]
fn core_depends_on_no_store_runtime_command_or_binding() {
    let core = tree("secretkit-core");
    for banned in [
        "tokio",
        "clap",
        "pyo3",
        "rusqlite",
        "libsqlite3-sys",
        "secretkit-sqlite",
        "secretkit-postgres",
        "secretkit-cli",
    ] {
        assert!(!depends(&core, banned), "secretkit-core depends on {banned}");
    }
    assert!(depends(&core, "aes-gcm-siv"), "the tree is read right");
    for store in ["secretkit-sqlite", "secretkit-postgres"] {
        for banned in ["clap", "pyo3", "secretkit-cli", "secretkit-py", "secretkit"] {
            assert!(!depends(&tree(store), banned), "{store} depends on {banned}");
        }
    }
    assert!(!depends(&tree("secretkit-postgres"), "secretkit-sqlite"), "one store depends on the other");
    for banned in ["clap", "pyo3", "secretkit-cli", "secretkit-py"] {
        assert!(!depends(&tree("secretkit"), banned), "secretkit depends on {banned}");
    }
    for banned in ["clap", "pyo3", "secretkit-cli", "secretkit-py", "secretkit-sqlite", "secretkit"] {
        assert!(!depends(&tree("secretkit-exchange"), banned), "secretkit-exchange depends on {banned}");
    }
    assert!(!depends(&tree("secretkit"), "secretkit-exchange"), "an application links the parsers");
    assert!(!depends(&tree("secretkit-cli"), "pyo3"), "secretkit-cli depends on pyo3");
}

#[test]
fn nothing_but_the_postgresql_store_can_speak_to_a_network() {
    let sockets = ["socket2", "mio", "tokio", "hyper", "reqwest", "ureq", "curl", "rustls", "openssl", "native-tls"];
    let without = [&["--package", "secretkit", "--no-default-features"][..], &["--package", "secretkit-sqlite"]];
    for arguments in without {
        let tree = tree_of(arguments);
        let found = sockets.iter().find(|name| depends(&tree, name));
        assert!(found.is_none(), "{arguments:?} depends on {found:?}");
    }
    for package in ["secretkit-cli", "secretkit-py"] {
        let tree = tree(package);
        assert!(depends(&tree, "secretkit-postgres"));
        let others = ["hyper", "reqwest", "ureq", "curl", "openssl", "native-tls"];
        let found = others.iter().find(|name| depends(&tree, name));
        assert!(found.is_none(), "{package} depends on {found:?}");
    }
    let others: Vec<&str> = CRATES.into_iter().filter(|krate| *krate != "secretkit-postgres").collect();
    for (path, text) in sources(&others, &[".rs", ".py"]).into_iter().filter(|(path, _)| !path.contains("/tests/")) {
        let modules = ["std::net", "TcpStream", "UdpSocket", "import socket", "urllib", "http.client", "tokio::"];
        let named = modules.iter().find(|module| shipped(&text).contains(**module));
        assert!(named.is_none(), "{path} names {named:?}");
    }
}

/// What a crate is built from, one package on each line.
fn tree(package: &str) -> String {
    tree_of(&["--package", package])
}

fn tree_of(package: &[&str]) -> String {
    let arguments = ["tree", "--offline", "--edges", "normal", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(arguments).args(package).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn depends(tree: &str, on: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(on))
}

#[test]
fn files_are_of_one_sitting() {
    let mut folders = CRATES.to_vec();
    folders.extend(["examples", "benches", "torture", "testkit"]);
    let mut lengths = Vec::new();
    for (path, text) in sources(&folders, &[".rs", ".py"]) {
        let lines = text.lines().count();
        assert!(lines <= 600, "{path} has {lines} lines; split it where it changes the subject");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn unsafe_code_is_forbidden_wherever_it_can_be() {
    for krate in [
        "secretkit-core",
        "secretkit-files",
        "secretkit-cache",
        "secretkit",
        "secretkit-exchange",
        "secretkit-cli",
        "examples",
        "testkit/postgres",
    ] {
        let text = fs::read_to_string(root().join(krate).join("src/lib.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{krate}");
    }
    // To hear of a fork before it happens takes one call into libc. Everywhere else the workspace denies it.
    let allowed = ["secretkit-sqlite/src/fork.rs"];
    // The harness traps the calls of its own processes, in one file.
    for (path, text) in sources(&["torture"], &[".rs"]) {
        let holds = text.contains("unsafe {") || text.contains("allow(unsafe_code");
        assert!(!holds || path == "torture/src/trap/handler.rs", "{path} has unsafe code");
    }
    for (path, text) in sources(&CRATES, &[".rs"]).into_iter().filter(|(path, _)| path.contains("/src/")) {
        let blocks =
            text.lines().filter(|line| line.contains("unsafe {") && !line.trim_start().starts_with("//")).count();
        let excused = allowed.contains(&path.as_str()) && blocks == 1;
        assert!(blocks == 0 || excused, "{path} has {blocks} unsafe blocks");
    }
}

#[test]
fn the_wiping_of_every_crypto_crate_is_switched_on() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in ["aes", "aes-gcm-siv", "argon2", "blake2", "hmac", "polyval", "sha2"] {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
        assert!(line.is_some_and(|line| line.contains("\"zeroize\"")), "{name} without its zeroize feature");
    }
}

/// A rule of the format that no test names is a rule that nobody keeps.
#[test]
fn every_rule_of_the_format_is_named_by_a_test() {
    let document = fs::read_to_string(root().join("docs/format.md")).unwrap();
    let rules: BTreeSet<String> = document
        .split("**")
        .filter(|word| word.len() <= 3 && word.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter(|word| word[1..].parse::<u8>().is_ok())
        .map(str::to_lowercase)
        .collect();
    assert!(rules.len() >= 20, "{rules:?}");
    let names: Vec<String> = sources(&["secretkit-core", "secretkit-sqlite"], &[".rs"])
        .iter()
        .flat_map(|(_, text)| text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ").map(str::to_owned)))
        .collect();
    for rule in &rules {
        let (kind, number) = (&rule[..1], rule[1..].parse::<u8>().unwrap());
        let named = names.iter().any(|name| {
            let mut words = name.split('_');
            let first = words.next().and_then(|word| word.strip_prefix(kind)?.parse::<u8>().ok());
            let last = match (words.next(), words.next()) {
                (Some("to"), Some(word)) => word.strip_prefix(kind).and_then(|word| word.parse::<u8>().ok()),
                _ => first,
            };
            matches!((first, last), (Some(first), Some(last)) if (first..=last).contains(&number))
        });
        assert!(named, "rule {rule} of docs/format.md has no test of its number");
    }
}
