//! The rows of `docs/coming-from.md` that do more than write, list, show or delete: what each needs, and what comes of it.

use std::os::unix::fs::PermissionsExt;

use crate::sandbox::{CANARY, Sandbox, text};
use crate::terminal::Terminal;

/// What is to be seen of one command.
pub(super) struct Deed {
    /// As it stands on the page.
    line: &'static str,
    /// On the terminal.
    screen: &'static str,
    /// Afterwards, printed by this command, or lacking there where it begins with `!`.
    after: &'static [&'static str],
    finds: &'static str,
}

const SHOW: &[&str] = &["show", "my_secret"];
const REVEAL: &[&str] = &["reveal", "MY_TOKEN"];

const DEEDS: &[Deed] = &[
    deed_of("import /path/to/secrets --overwrite", "2 secrets imported into default", REVEAL, CANARY),
    deed_of("list --project sales --within", "someSecret", SHOW, "my_secret"),
    deed_of("list -w acme/etl -o json", "\"name\":\"MY_TOKEN\"", SHOW, "my_secret"),
    deed_of("list --search secret", "my_secret", SHOW, "my_secret"),
    deed_of("render /path/to/template", "token = <", SHOW, "my_secret"),
    deed_of("render /path/to/template --dry-run", "token = <SECRET:MY_TOKEN>", SHOW, "my_secret"),
    deed_of("render /path/to/template --to .secret", "", SHOW, "my_secret"),
    deed_of("render /path/to/template --to nextflow.config", "", SHOW, "my_secret"),
    deed_of("reveal MY_TOKEN", "found default:MY_TOKEN", REVEAL, CANARY),
    deed_of("import /path/to/store.json --overwrite", "updated default:MY_TOKEN", REVEAL, "of Nextflow"),
    deed_of("export MY_TOKEN --format nextflow --to store.json", "exported 1 secret", REVEAL, CANARY),
    deed_of("run --env MY_TOKEN -- ./process.sh", "it arrived", SHOW, "my_secret"),
    deed_of("update my_secret --description ingest", "generation 2", SHOW, "DESCRIPTION  ingest"),
    deed_of("update my_secret --tag billing", "generation 2", SHOW, "TAGS         billing"),
    deed_of("update my_secret --untag billing", "generation 3", SHOW, "!billing"),
    deed_of("update my_secret --expires 2099-12-31", "generation 2", SHOW, "EXPIRES      2100-01-01T00:00:00Z"),
    deed_of("update my_secret --no-expires", "generation 3", SHOW, "EXPIRES      never"),
    deed_of("update my_secret --inactive", "generation 2", SHOW, "STATE        inactive"),
    deed_of("update my_secret --active", "generation 3", SHOW, "STATE        active"),
    deed_of("use add my_secret ingest-pipeline", "uses default:my_secret", &["use", "list", "my_secret"], "ingest-"),
    deed_of("use list my_secret", "ingest-pipeline", SHOW, "my_secret"),
    deed_of("use remove my_secret ingest-pipeline", "no longer uses", &["use", "list", "my_secret"], "!ingest-"),
];

const fn deed_of(
    line: &'static str,
    screen: &'static str,
    after: &'static [&'static str],
    finds: &'static str,
) -> Deed {
    Deed { line, screen, after, finds }
}

/// The one of this line.
pub(super) fn deed(line: &str) -> Option<&'static Deed> {
    DEEDS.iter().find(|deed| deed.line == line)
}

/// What must have been done before, for a row that takes something away.
const BEFORE: &[(&str, &[&str])] = &[
    ("update my_secret --untag billing", &["update", "my_secret", "--tag", "billing"]),
    ("update my_secret --no-expires", &["update", "my_secret", "--expires", "90d"]),
    ("update my_secret --active", &["update", "my_secret", "--inactive"]),
    ("use list my_secret", &["use", "add", "my_secret", "ingest-pipeline"]),
    ("use remove my_secret ingest-pipeline", &["use", "add", "my_secret", "ingest-pipeline"]),
];

impl Deed {
    /// Makes what the command needs, runs it at a terminal as it stands, and looks at what came of it.
    pub(super) fn check(&self, sandbox: &Sandbox, line: &str) {
        prepare(sandbox, line);
        if let Some((_, target)) = line.split_once("--to ") {
            // What stands there already is not replaced unasked.
            let _ = std::fs::remove_file(sandbox.path("work").join(target));
        }
        if let Some((_, command)) = BEFORE.iter().find(|(of, _)| *of == line) {
            sandbox.ok(*command);
        }
        let arguments: Vec<String> = line
            .split(' ')
            .map(|word| word.strip_prefix("/path/to/").map_or_else(|| word.to_owned(), |file| in_work(sandbox, file)))
            .collect();
        let mut terminal = Terminal::start(sandbox, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        if line.starts_with("export") {
            terminal.expect("[y/N] ");
            terminal.type_line("y");
        }
        let (code, screen) = terminal.finish();
        assert_eq!(code, 0, "{line}: {screen}");
        assert!(screen.contains(self.screen.trim_end_matches('<')), "{line}: {screen}");
        let shows = line.starts_with("reveal") || line == "render /path/to/template";
        assert_eq!(screen.contains(CANARY), shows, "{line}: {screen}");
        let after = sandbox.ok(self.after).text();
        match self.finds.strip_prefix('!') {
            Some(gone) => assert!(!after.contains(gone), "{line}: {after}"),
            None => assert!(after.contains(self.finds), "{line}: {after}"),
        }
        if let Some((_, file)) = line.split_once("--to ") {
            let path = sandbox.path("work").join(file);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{line}");
            assert!(std::fs::read_to_string(&path).unwrap().contains(CANARY), "{line}");
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn in_work(sandbox: &Sandbox, file: &str) -> String {
    text(&sandbox.path("work").join(file))
}

/// The secrets and files that the rows are about, as they are before each of them.
fn prepare(sandbox: &Sandbox, line: &str) {
    let scopes = ["default", "default/sales/reports", "acme/etl"];
    for (name, scope) in
        ["my_secret", "someSecret", "MY_TOKEN"].into_iter().zip(scopes).chain([("MY_TOKEN", "default")])
    {
        if line.contains(name) {
            sandbox.run(["use", "remove", name, "ingest-pipeline", "--scope", scope]);
            sandbox.run(["delete", name, "--yes", "--scope", scope]);
        }
        let value = format!("{CANARY} of {name}");
        let made = sandbox.run_with(["create", name, "-f", "-", "--scope", scope], value.as_bytes(), &[]);
        assert!(matches!(made.code, 0 | 21), "{made:?}");
    }
    let store = format!(r#"[{{"name":"MY_TOKEN","value":"{CANARY} of Nextflow"}}]"#);
    sandbox.file_with_mode("store.json", store, 0o600);
    sandbox.file("template", "token = {{.secret.MY_TOKEN}}\n");
    let script = format!("#!/bin/sh\n[ \"$MY_TOKEN\" = '{CANARY} of MY_TOKEN' ] && echo it arrived\n");
    sandbox.file_with_mode("process.sh", script, 0o700);
    let secrets = sandbox.path("work/secrets");
    std::fs::create_dir_all(secrets.join("db")).unwrap();
    std::fs::write(secrets.join("MY_TOKEN"), format!("{CANARY} of a mount")).unwrap();
    std::fs::write(secrets.join("db/password"), format!("{CANARY} of a mount")).unwrap();
}
