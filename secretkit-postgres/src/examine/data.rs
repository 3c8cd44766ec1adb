//! What is stored, what becomes of it, and who else may see it.

use secretkit_core::store::StoreCheck;

use super::{FUNCTIONS, Facts};
use crate::layout::Layout;
use crate::migrations::{self, MIGRATIONS};
use crate::settings::Settings;

pub(super) fn tables(facts: &Facts, settings: &Settings) -> StoreCheck {
    const CHECK: &str = "tables";
    let schema: String = settings.schema.as_str().chars().filter(|sign| !sign.is_control()).collect();
    let layout = Layout::of(&facts.tables);
    let needed = migrations::newest(layout.migrations(MIGRATIONS));
    match facts.tables.last() {
        None => StoreCheck::secure(CHECK, format!("none yet in schema {schema}, the first write makes them")),
        Some((version, _)) if *version == needed && layout != Layout::Functions => StoreCheck::weak(
            CHECK,
            format!(
                "version {version} in schema {schema}, without functions: a commit takes three round trips, no cache is told of \
                 it, and there are no roles"
            ),
            "where the server has PL/pgSQL and holds its locks by now, copy it to another schema: secretkit store copy",
        ),
        Some((version, _)) if *version == needed && facts.functions < FUNCTIONS => StoreCheck::insecure(
            CHECK,
            format!("version {version} in schema {schema}, and functions of it are gone: nothing is written"),
            "restore it from a backup, on a server that has PL/pgSQL",
        ),
        Some((version, _)) if *version == needed => {
            StoreCheck::secure(CHECK, format!("version {version} in schema {schema}"))
        }
        Some((version, _)) => StoreCheck::insecure(
            CHECK,
            format!(
                "version {version} in schema {schema}, and this secretkit needs {needed}: nothing is read or written"
            ),
            "run, as their owner: secretkit store migrate",
        ),
    }
}

pub(super) fn durability(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "durability";
    let off: Vec<&str> = [("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes)]
        .into_iter()
        .filter_map(|(name, on)| (!on).then_some(name))
        .collect();
    if !off.is_empty() {
        return StoreCheck::insecure(
            CHECK,
            format!("{} is off: a crash of the server's machine may leave nothing that can be read", off.join(" and ")),
            "switch it on in postgresql.conf",
        );
    }
    let waits = match (facts.synchronous_commit.as_str(), facts.standbys) {
        ("off", _) => "synchronous_commit is off, and a commit of secretkit waits for the disk all the same",
        ("local", true) => {
            return StoreCheck::weak(
                CHECK,
                "synchronous_commit is local: a commit does not wait for the standbys that are named, and may be lost with \
                 the primary",
                "set synchronous_commit = on",
            );
        }
        (_, true) => "a commit waits for the disk and for a standby",
        (_, false) => "a commit waits for the disk of this server, and for no standby",
    };
    StoreCheck::secure(CHECK, waits)
}

/// Each call of ours is a SELECT with parameters.
pub(super) fn log(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "statement log";
    let which = match (facts.log_statement.as_str(), facts.log_slow) {
        ("all", _) | (_, 0) => "every statement",
        // To call a function changes nothing, as the server sees it.
        ("mod", _) if Layout::of(&facts.tables) != Layout::Functions => "statements that change something",
        (_, 1..) => "slow statements",
        _ => "",
    };
    let logged = [(which, facts.log_parameters), ("statements that fail", facts.log_parameters_on_error)];
    let shown: Vec<&str> =
        logged.into_iter().filter_map(|(which, length)| (!which.is_empty() && length != 0).then_some(which)).collect();
    if shown.is_empty() {
        let words = if which.is_empty() { "no statement of ours is logged" } else { "without parameters" };
        return StoreCheck::secure(CHECK, words);
    }
    StoreCheck::weak(
        CHECK,
        format!(
            "the server logs {} with parameters: names, descriptions, tags, people and sealed records, though no value and \
             no key",
            shown.join(" and ")
        ),
        "set log_parameter_max_length = 0 and log_parameter_max_length_on_error = 0, or guard the log as the database",
    )
}

/// Whether every login of the database may look into the schema.
pub(super) fn public(facts: &Facts) -> Option<StoreCheck> {
    facts.public.then(|| {
        StoreCheck::weak(
            "schema",
            "every login of the database may look into it",
            "run, as its owner: REVOKE ALL ON SCHEMA … FROM PUBLIC",
        )
    })
}

/// Whether others may put something of theirs beside the tables, which whoever uses them could come to run.
pub(super) fn creators(facts: &Facts) -> Option<StoreCheck> {
    let who: String = facts.creators.chars().filter(|sign| !sign.is_control()).collect();
    (!who.is_empty()).then(|| {
        StoreCheck::insecure(
            "schema",
            format!("others may create in it ({who}): whoever uses the store may run what they put there"),
            "run, as its owner: REVOKE CREATE ON SCHEMA … FROM each of them, PUBLIC for every login; where one of them owns it, \
             ALTER SCHEMA … OWNER TO whoever owns the tables",
        )
    })
}
