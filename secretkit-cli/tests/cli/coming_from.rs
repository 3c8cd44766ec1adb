//! `docs/coming-from.md` is true: its tables name every command of the systems it compares with, and every command of
//! ours in them is run as it stands there, at a terminal.

mod deeds;

use std::collections::BTreeSet;

use secretkit::{Encoding, SecretValue};

use crate::sandbox::{CANARY, Sandbox, text};
use crate::terminal::Terminal;

const PAGE: &str = include_str!("../../../docs/coming-from.md");

/// What the manuals of the others tell people to type, and each option in the reference of `tw`.
const THEIRS: [&str; 43] = [
    "union create secret my_secret",
    "union create secret my_file_secret -f /path/to/file",
    "union get secret",
    "union update secret my_secret",
    "union delete secret my_secret",
    "union run --remote using_secrets.py main",
    "union create secret --name my_secret --value-file /path/to/file",
    "flyte create secret my_secret",
    "flyte create secret my_secret --value my_value",
    "flyte create secret my_secret --from-file /path/to/secret_file",
    "flyte get secret",
    "flyte get secret my_secret",
    "flyte delete secret my_secret",
    "union create secret my_secret_name",
    "union create secret my_secret_name -f /path/to/secret_file",
    "union create secret my_secret_name --project my_project --domain development",
    "union get secret --project my_project --domain development",
    "union update secret --project my_project --domain my_domain my_secret",
    "union delete secret --project my_project --domain my_domain my_secret",
    "optimus secret set someSecret someSecretValue",
    "optimus secret set someSecret encodedSecretValue --base64",
    "optimus secret set someSecret --file=/path/to/secret",
    "optimus secret set someSecret someSecretValue --update-only",
    "optimus secret set someSecret someSecretValue --project-name sales --namespace reports",
    "optimus secret list",
    "optimus secret list --project-name sales",
    "optimus secret delete someSecret",
    "tw secrets list",
    "tw secrets list -w acme/etl",
    "tw -o json secrets list -w acme/etl",
    "tw secrets add -n MY_TOKEN -v VALUE -w acme/etl",
    "tw secrets add --name MY_TOKEN --value VALUE --overwrite --workspace acme/etl",
    "tw secrets delete -i ID -w acme/etl",
    "tw secrets delete -n MY_TOKEN -w acme/etl",
    "tw secrets view -n MY_TOKEN -w acme/etl",
    "tw secrets view -i ID -w acme/etl",
    "tw secrets update -n MY_TOKEN -v VALUE -w acme/etl",
    "tw secrets update -i ID -v VALUE -w acme/etl",
    "nextflow secrets set MY_TOKEN VALUE",
    "nextflow secrets get MY_TOKEN",
    "nextflow secrets list",
    "nextflow secrets delete MY_TOKEN",
    "secret 'MY_TOKEN'` in a process",
];

/// The rows of every table: what is typed there, and here.
fn rows() -> Vec<(String, String)> {
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    PAGE.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .map(|(there, here)| (cell(there), cell(here)))
        .filter(|(there, _)| there != "there" && there != "flytekit, flyte")
        .collect()
}

#[test]
fn the_page_names_every_command_of_the_others() {
    let named: BTreeSet<String> = rows().into_iter().map(|(there, _)| there).collect();
    for command in THEIRS {
        assert!(named.contains(command), "{command}");
    }
}

#[test]
fn every_command_on_the_page_does_what_it_says() {
    let sandbox = Sandbox::new();
    let mut ran = 0;
    for (there, here) in rows() {
        let Some(line) = here.strip_prefix("secretkit ") else {
            let python = ["python using_secrets.py", "Secret(", "current_context()", "os.environ["];
            assert!(python.iter().any(|begin| here.starts_with(begin)), "{there} | {here}: nobody runs this");
            continue;
        };
        match deeds::deed(line) {
            Some(deed) => deed.check(&sandbox, line),
            None => Row::new(line).check(&sandbox),
        }
        ran += 1;
    }
    assert_eq!(ran, PAGE.matches("| `secretkit ").count());
    assert!(ran > THEIRS.len());
}

/// One command of ours, as far as the test must understand it to know what comes of it.
struct Row {
    verb: String,
    arguments: Vec<String>,
    name: Option<String>,
    scope: String,
    value: Given,
}

enum Given {
    Argument(Vec<u8>),
    File,
    Typed,
}

impl Row {
    fn new(line: &str) -> Self {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (mut project, mut domain, mut workspace) = (None, None, None);
        let (mut name, mut value) = (None, Given::Typed);
        let mut words = arguments[1..].iter().cloned();
        while let Some(word) = words.next() {
            let mut next = || words.next().unwrap();
            match word.as_str() {
                "--project" => project = Some(next()),
                "--domain" => domain = Some(next()),
                "-w" | "--workspace" => workspace = Some(next()),
                "-n" | "--name" => name = Some(next()),
                "-v" | "--value" => value = Given::Argument(next().into_bytes()),
                "-f" => {
                    next();
                    value = Given::File;
                }
                "-i" => assert_eq!(next(), "ID"),
                "--overwrite" | "--update-only" | "--base64" => {}
                "--file" => {
                    next();
                    value = Given::File;
                }
                word if word.starts_with("--file=") => value = Given::File,
                other if name.is_none() => name = Some(other.to_owned()),
                other => value = Given::Argument(other.to_owned().into_bytes()),
            }
        }
        if line.contains("--base64")
            && let Given::Argument(text) = &value
        {
            let decoded = Encoding::Base64.decode(SecretValue::copied_from(text)).unwrap();
            value = Given::Argument(decoded.expose_secret().to_vec());
        }
        let scope = match (workspace, project, domain) {
            (Some(workspace), ..) => workspace,
            (None, Some(project), Some(domain)) => format!("default/{project}/{domain}"),
            (None, Some(project), None) => format!("default/{project}"),
            (None, None, None) => "default".to_owned(),
            (None, None, Some(_)) => unreachable!("no row has a domain alone"),
        };
        Self { verb: arguments[0].clone(), arguments, name, scope, value }
    }

    /// Makes what the command needs, runs it as it stands, and looks at what came of it.
    fn check(&self, sandbox: &Sandbox) {
        let line = self.arguments.join(" ");
        // A row with an id is about the secret of the rows around it.
        let name = self.name.as_deref().unwrap_or("MY_TOKEN");
        let has = |word: &str| self.arguments.iter().any(|argument| argument == word);
        let creates = matches!(&*self.verb, "create" | "set" | "add") && !has("--update-only");
        sandbox.run(["delete", name, "--yes", "--scope", &self.scope]);
        if !creates {
            sandbox.create(name, format!("{CANARY} before").as_bytes(), &self.scope);
        }
        let content = format!("{CANARY} of a file");
        let typed = format!("{CANARY} typed");
        let mut arguments = self.arguments.clone();
        for argument in &mut arguments {
            if let Some((before, file)) = argument.split_once("/path/to/") {
                *argument = format!("{before}{}", text(&sandbox.file(file, &content)));
            }
            if argument == "ID" {
                let shown = sandbox.ok(["show", name, "--scope", &self.scope, "-o", "json"]).json();
                *argument = shown["id"].as_str().unwrap().to_owned();
            }
        }
        let mut terminal = Terminal::start(sandbox, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let writes = matches!(&*self.verb, "create" | "set" | "add" | "update");
        if writes && matches!(self.value, Given::Typed) {
            terminal.expect("Enter secret value: ");
            terminal.type_line(&typed);
        }
        if self.verb == "delete" {
            terminal.expect("[y/N] ");
            terminal.type_line("y");
        }
        let (code, screen) = terminal.finish();
        assert_eq!(code, 0, "{line}: {screen}");
        assert!(!screen.contains(CANARY), "{line} shows a value: {screen}");
        match &*self.verb {
            "create" | "set" | "add" | "update" => {
                let done = if creates { "created" } else { "updated" };
                assert!(screen.contains(&format!("{done} {}:{name}", self.scope)), "{line}: {screen}");
                let value = match &self.value {
                    Given::Argument(value) => value.clone(),
                    Given::File => content.into_bytes(),
                    Given::Typed => typed.into_bytes(),
                };
                assert_eq!(sandbox.value(name, &self.scope), value, "{line}");
            }
            "list" => {
                assert!(screen.contains("NAME") && screen.contains("DIGEST"), "{line}: {screen}");
                let elsewhere = screen.lines().skip(1).any(|row| !row.contains(&format!(" {} ", self.scope)));
                assert!(self.scope == "default" || !elsewhere, "{line} lists more: {screen}");
                assert!(screen.contains("MY_TOKEN"), "{line}: {screen}");
            }
            "show" | "view" => {
                assert!(screen.contains(name) && screen.contains("REVISION     1"), "{line}: {screen}");
            }
            "delete" => {
                assert!(screen.contains(&format!("deleted {}:{name}", self.scope)), "{line}: {screen}");
                assert_eq!(sandbox.run(["show", name, "--scope", &self.scope]).code, 20, "{line}");
            }
            other => panic!("what does {other} do?"),
        }
    }
}
