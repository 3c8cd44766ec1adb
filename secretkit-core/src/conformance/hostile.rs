//! Texts that are no name, for every place where a name enters.

/// Texts that no constructor of a name accepts, each a known way to confuse, escape or forge: at least 60.
///
/// Feed them to every place where a name enters: an argument, an API, a row written straight into a database. None may
/// be accepted, folded into something valid, or appear in an error. Some hold a NUL, which a command line cannot carry.
#[must_use]
pub fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = TEXTS.iter().map(|&text| text.to_owned()).collect();
    names.push("a".repeat(129));
    names.push("a".repeat(1 << 20));
    names.push("é".repeat(64));
    names.push("a/".repeat(64));
    names.push("../".repeat(64));
    names
}

const TEXTS: &[&str] = &[
    // Nothing, and what looks like nothing.
    "",
    " ",
    "\t",
    "\n",
    "\u{a0}",
    "\u{200b}",
    "\u{feff}",
    // Blanks that trimming would forgive.
    " a",
    "a ",
    "a\n",
    "\na",
    "a\r\n",
    "a\tb",
    "a b",
    "a\u{a0}b",
    // Paths.
    ".",
    "..",
    "...",
    "a..",
    "a..b",
    ".hidden",
    "../a",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../b",
    "a//b",
    "a/b/c",
    "/a",
    "a/",
    "\\",
    "a\\b",
    "..\\a",
    "C:\\a",
    "file:///etc/passwd",
    "~",
    "~root",
    // Options and shells.
    "-",
    "-rf",
    "--help",
    "$(id)",
    "`id`",
    "a;id",
    "a|b",
    "a&b",
    "a>b",
    "$HOME",
    "!a",
    "#a",
    "a=b",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "'a'",
    "\"a\"",
    // Databases.
    "'",
    "a' OR '1'='1",
    "'; DROP TABLE secrets; --",
    "a%",
    "%",
    "a\u{0}",
    "\u{0}",
    "a\u{0}b",
    // Addresses and templates within a name.
    "a:b",
    "acme:db",
    "acme/*/production:db",
    "@a",
    "a,b",
    "{{a}}",
    "%s%n",
    "%2e%2e%2f",
    "a+b",
    // Control bytes and terminals.
    "\u{1b}[2J",
    "a\u{1b}]0;x\u{7}",
    "a\u{7f}",
    "a\u{8}b",
    "a\u{85}b",
    "a\u{2028}b",
    // Unicode that folds, joins, reorders or looks alike.
    "é",
    "e\u{301}",
    "ﬁ",
    "ａ",
    "K\u{212a}",
    "ı",
    "ß",
    "аdmin",
    "a\u{202e}b",
    "a\u{200d}b",
    "\u{1f511}",
    "\u{fffd}",
    "\u{10ffff}",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{Part, PartKind};

    #[test]
    fn no_part_takes_one() {
        let names = hostile_names();
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert!(different.len() == names.len() && names.len() >= 60, "{}", names.len());
        for kind in [PartKind::Org, PartKind::Project, PartKind::Domain, PartKind::Group, PartKind::Key] {
            for name in &names {
                let refused = Part::parse(kind, name).unwrap_err();
                // One character may stand in the error's own words.
                assert!(name.chars().count() < 6 || !refused.to_string().contains(name.as_str()), "{refused}");
            }
        }
    }
}
