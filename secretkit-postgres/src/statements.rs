//! Every statement, with the schema filled in once. What people choose reaches them as parameters alone.
//!
//! Each function is named with its schema: one of the same name in a schema of the search path would be found before one of
//! `pg_catalog` that takes any type, and would run with the rights of whoever asks (CVE-2018-1058). Only `unnest` of several
//! arrays is not, which is syntax, and always PostgreSQL's own.

use tokio_postgres::types::Type;

use crate::call;
use crate::schema::SchemaName;

/// What can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(crate) enum Query {
    Info,
    IsEmpty,
    Keyring,
    Keyrings,
    Orgs,
    KeyUses,
    One,
    ById,
    Many,
    Names,
    Any,
    History,
    HistoryById,
    Consumers,
    Uses,
    Touch,
    Lanes,
    Events,
    Ids,
    Outcome,
    Apply,
    Everywhere,
    EverywhereAfter,
    Exactly,
    ExactlyAfter,
    Project,
    ProjectAfter,
    Along,
    AlongAfter,
    SeesAll,
}

/// How many there are.
pub(crate) const COUNT: usize = Query::SeesAll as usize + 1;

/// How a server finds the first that exists of up to four candidates, which stand side by side in the index: with the
/// project or without, with the domain or without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lookup {
    /// In one walk along the index, which ends where it finds one.
    Walk,
    /// One after the other. Before PostgreSQL 17 a walk may go through all the projects that have a secret of this name: it
    /// does where names are rarely the same.
    Probes,
}

impl Lookup {
    /// What suits a server of this version, as it says it itself.
    pub(crate) fn of_version(version: Option<&str>) -> Self {
        let digits = version.and_then(|version| version.split(|sign: char| !sign.is_ascii_digit()).next());
        match digits.and_then(|digits| digits.parse::<u32>().ok()) {
            Some(17..) => Self::Walk,
            _ => Self::Probes,
        }
    }
}

/// The statements of one store.
pub(crate) struct Statements {
    walk: Vec<(String, Vec<Type>)>,
    probes: Vec<(String, Vec<Type>)>,
}

impl Statements {
    pub(crate) fn of_schema(schema: &SchemaName) -> Self {
        let filled = |lookup| {
            let fill = |query: &Query| {
                let (text, types) = template(*query, lookup);
                (schema.fill(&text), types)
            };
            ALL.iter().map(fill).collect()
        };
        Self { walk: filled(Lookup::Walk), probes: filled(Lookup::Probes) }
    }

    pub(crate) fn of(&self, query: Query, lookup: Lookup) -> (&str, &[Type]) {
        let all = match lookup {
            Lookup::Walk => &self.walk,
            Lookup::Probes => &self.probes,
        };
        all.get(query as usize).map_or(("", &[]), |(text, types)| (text, types))
    }
}

const ALL: [Query; COUNT] = [
    Query::Info,
    Query::IsEmpty,
    Query::Keyring,
    Query::Keyrings,
    Query::Orgs,
    Query::KeyUses,
    Query::One,
    Query::ById,
    Query::Many,
    Query::Names,
    Query::Any,
    Query::History,
    Query::HistoryById,
    Query::Consumers,
    Query::Uses,
    Query::Touch,
    Query::Lanes,
    Query::Events,
    Query::Ids,
    Query::Outcome,
    Query::Apply,
    Query::Everywhere,
    Query::EverywhereAfter,
    Query::Exactly,
    Query::ExactlyAfter,
    Query::Project,
    Query::ProjectAfter,
    Query::Along,
    Query::AlongAfter,
    Query::SeesAll,
];

/// The columns of a head and its authenticator, in the order in which `rows` reads them.
macro_rules! head {
    () => {
        "s.org, s.project, s.domain, s.grp, s.key, s.id, s.generation, s.revision, s.first_revision, s.keep, \
         s.inactive_since, s.expires_at, s.description, s.tags, s.created_at, s.created_by, s.updated_at, s.updated_by, \
         s.value_at, s.value_by, s.digest, s.head_mac"
    };
}

/// The first that exists of up to four candidates. Where exactly one is meant, both projects are the same, and both domains.
/// Absent text is before all other, so that the index has them in the reverse of this order.
fn nearest(lookup: Lookup, [org, group, key, project, or_project, domain, or_domain]: [&str; 7]) -> String {
    let named = format!("FROM @schema@.secrets AS s WHERE s.org = {org} AND s.grp = {group} AND s.key = {key}");
    let found = match lookup {
        Lookup::Walk => {
            format!("{named} AND s.project IN ({project}, {or_project}) AND s.domain IN ({domain}, {or_domain})")
        }
        Lookup::Probes => format!(
            "FROM (VALUES ({project}, {domain}), ({project}, {or_domain}), ({or_project}, {domain}), \
             ({or_project}, {or_domain})) AS c (project, domain) CROSS JOIN LATERAL (\
             SELECT s.* {named} AND s.project = c.project AND s.domain = c.domain LIMIT 1) AS s"
        ),
    };
    format!("{found} ORDER BY s.project DESC, s.domain DESC LIMIT 1")
}

/// For one name, and for each of many.
const OF_ONE: [&str; 7] = ["$1", "$2", "$3", "$4", "$5", "$6", "$7"];
const OF_EACH: [&str; 7] = ["w.org", "w.grp", "w.key", "w.project", "w.or_project", "w.domain", "w.or_domain"];

const REVISION: &str = "r.secret_id, r.revision, r.value_at, r.value_by, r.digest, r.mac";

fn template(query: Query, lookup: Lookup) -> (String, Vec<Type>) {
    use Type as T;
    let head = head!();
    let (text, types): (&str, Vec<Type>) = match query {
        Query::Info => (
            "SELECT s.id, s.created_at, m.versions, m.checksums, pg_catalog.version() FROM @schema@.store AS s CROSS JOIN (\
                SELECT pg_catalog.array_agg(version ORDER BY version) AS versions, \
                    pg_catalog.array_agg(checksum ORDER BY version) AS checksums \
                FROM @schema@.migrations\
             ) AS m LIMIT 2",
            vec![],
        ),
        Query::IsEmpty => (
            "SELECT NOT EXISTS (SELECT 1 FROM @schema@.keyring) AND NOT EXISTS (SELECT 1 FROM @schema@.secrets)",
            vec![],
        ),
        Query::Keyring => {
            ("SELECT version, kek_id, wrapped_key, keyset FROM @schema@.keyring WHERE org = $1", vec![T::TEXT])
        }
        Query::Keyrings => {
            ("SELECT org, version, kek_id, wrapped_key, keyset FROM @schema@.keyring ORDER BY org", vec![])
        }
        Query::Orgs => ("SELECT org FROM @schema@.keyring UNION SELECT org FROM @schema@.secrets ORDER BY org", vec![]),
        Query::KeyUses => ("SELECT key, items FROM @schema@.key_uses($1)", vec![T::TEXT]),
        Query::One => return (format!("SELECT {head}, s.record {}", nearest(lookup, OF_ONE)), vec![T::TEXT; 7]),
        Query::ById => (
            concat!("SELECT ", head!(), ", s.record FROM @schema@.secrets AS s WHERE s.id = $2 AND s.org = $1"),
            vec![T::TEXT, T::BYTEA],
        ),
        Query::Many => {
            let text = format!(
                "SELECT {head}, s.record, w.place FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) \
                 AS w (place, org, grp, key, project, or_project, domain, or_domain) CROSS JOIN LATERAL (SELECT s.* {}) AS s",
                nearest(lookup, OF_EACH)
            );
            return (text, [vec![T::INT4_ARRAY], vec![T::TEXT_ARRAY; 7]].concat());
        }
        // Mostly all are asked for at one scope.
        Query::Names => {
            let text = format!(
                "SELECT {head}, s.record, w.place FROM unnest($1, $2, $3) AS w (place, grp, key) \
                 CROSS JOIN LATERAL (SELECT s.* {}) AS s",
                nearest(lookup, ["$4", "w.grp", "w.key", "$5", "$6", "$7", "$8"])
            );
            return (text, [vec![T::INT4_ARRAY], vec![T::TEXT_ARRAY; 2], vec![T::TEXT; 5]].concat());
        }
        Query::Any => return (any(lookup), any_types()),
        Query::History => return (history(&nearest(lookup, OF_ONE)), vec![T::TEXT; 7]),
        Query::HistoryById => {
            return (history("FROM @schema@.secrets AS s WHERE s.id = $2 AND s.org = $1"), vec![T::TEXT, T::BYTEA]);
        }
        Query::Consumers => (
            "SELECT w.place, c.name, c.seen_at, c.seen_by, c.mac FROM pg_catalog.unnest($2) WITH ORDINALITY AS w (id, place) \
             JOIN @schema@.secrets AS s ON s.id = w.id AND s.org = $1 \
             JOIN @schema@.consumers AS c ON c.secret_id = s.id ORDER BY w.place, c.name",
            vec![T::TEXT, T::BYTEA_ARRAY],
        ),
        Query::Uses => (
            "SELECT w.place, u.used_at, u.used_by, u.mac FROM pg_catalog.unnest($2) WITH ORDINALITY AS w (id, place) \
             JOIN @schema@.secrets AS s ON s.id = w.id AND s.org = $1 \
             JOIN @schema@.usage AS u ON u.secret_id = s.id",
            vec![T::TEXT, T::BYTEA_ARRAY],
        ),
        Query::Touch => (
            "SELECT @schema@.touch($1, $2, $3, $4, $5, $6, $7)",
            vec![T::TEXT, T::INT8, T::BYTEA, T::BYTEA_ARRAY, T::INT8_ARRAY, T::TEXT_ARRAY, T::BYTEA_ARRAY],
        ),
        Query::Lanes => ("SELECT lane, seq, mac FROM @schema@.lanes WHERE org = $1 ORDER BY lane", vec![T::TEXT]),
        Query::Events => (
            "SELECT lane, seq, token, at, body, mac FROM @schema@.events \
             WHERE org = $1 AND lane = $2 AND seq > $3 ORDER BY seq LIMIT $4",
            vec![T::TEXT, T::INT8, T::INT8, T::INT8],
        ),
        // An id of another length was written by nobody here; the event of the secret tells that it is gone.
        Query::Ids => (
            "SELECT id FROM @schema@.secrets WHERE org = $1 AND id > $2 AND pg_catalog.length(id) = 16 ORDER BY id LIMIT $3",
            vec![T::TEXT, T::BYTEA, T::INT8],
        ),
        Query::Outcome => ("SELECT @schema@.outcome($1, $2)", vec![T::TEXT, T::BYTEA]),
        Query::Apply => return call::statement(),
        Query::Everywhere => return (page(">=", ""), page_types(0)),
        Query::EverywhereAfter => return (page(">", ""), page_types(0)),
        Query::Exactly => return (page(">=", EXACTLY), page_types(2)),
        Query::ExactlyAfter => return (page(">", EXACTLY), page_types(2)),
        Query::Project => return (page(">=", PROJECT), page_types(1)),
        Query::ProjectAfter => return (page(">", PROJECT), page_types(1)),
        Query::Along => return (page(">=", ALONG), page_types(2)),
        Query::AlongAfter => return (page(">", ALONG), page_types(2)),
        Query::SeesAll => (
            "SELECT NOT pg_catalog.row_security_active(c.oid) \
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = @name@ AND c.relname = 'keyring'",
            vec![],
        ),
    };
    (text.to_owned(), types)
}

/// Wants of every kind: by address, and by id, each perhaps with a superseded value.
fn any(lookup: Lookup) -> String {
    let (head, nearest) = (head!(), nearest(lookup, OF_EACH));
    format!(
        "WITH found AS NOT MATERIALIZED (\
            SELECT s.*, w.place, w.wanted FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) \
            AS w (place, wanted, org, grp, key, project, or_project, domain, or_domain) \
            CROSS JOIN LATERAL (SELECT s.* {nearest}) AS s \
            UNION ALL \
            SELECT s.*, w.place, w.wanted FROM unnest($10, $11, $12, $13) AS w (place, wanted, org, id) \
            CROSS JOIN LATERAL (SELECT s.* FROM @schema@.secrets AS s WHERE s.id = w.id AND s.org = w.org LIMIT 1) AS s\
         ) SELECT {head}, s.record, s.place, {REVISION}, r.record FROM found AS s \
         LEFT JOIN LATERAL (\
            SELECT * FROM @schema@.revisions AS r WHERE r.secret_id = s.id AND r.revision = s.wanted LIMIT 1\
         ) AS r ON true"
    )
}

fn any_types() -> Vec<Type> {
    use Type as T;
    [
        vec![T::INT4_ARRAY, T::INT8_ARRAY],
        vec![T::TEXT_ARRAY; 7],
        vec![T::INT4_ARRAY, T::INT8_ARRAY, T::TEXT_ARRAY, T::BYTEA_ARRAY],
    ]
    .concat()
}

/// A secret beside each of its superseded values, of which there may be none.
fn history(from: &str) -> String {
    let head = head!();
    format!(
        "SELECT {head}, {}, {REVISION}, {} FROM (SELECT s.* {from}) AS s \
         LEFT JOIN @schema@.revisions AS r ON r.secret_id = s.id ORDER BY r.revision",
        commitment("s"),
        commitment("r"),
    )
}

/// A page in the order of the index, from which it continues.
fn page(comparison: &str, condition: &str) -> String {
    let head = head!();
    format!(
        "SELECT {head}, {} FROM @schema@.secrets AS s \
         WHERE s.org = $1 AND (s.grp, s.key, s.project, s.domain) {comparison} ($2, $3, $4, $5){condition} \
         ORDER BY s.grp, s.key, s.project, s.domain LIMIT $6",
        commitment("s")
    )
}

fn page_types(more: usize) -> Vec<Type> {
    [vec![Type::TEXT; 5], vec![Type::INT8], vec![Type::TEXT; more]].concat()
}

const EXACTLY: &str = " AND s.project = $7 AND s.domain = $8";
const PROJECT: &str = " AND s.project = $7";
const ALONG: &str = " AND s.project IN ('', $7) AND s.domain IN ('', $8)";

/// Only these bytes of a record are read.
fn commitment(table: &str) -> String {
    format!("pg_catalog.substr({table}.record, 69, 32)")
}

/// The statements count bytes from 1.
const _: () = assert!(secretkit_core::SealedValue::COMMITMENT_AT + 1 == 69);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::unqualified;

    #[test]
    fn every_statement_stands_in_its_place_and_takes_its_parameters() {
        let statements = Statements::of_schema(&SchemaName::default());
        for (place, query) in ALL.iter().enumerate() {
            assert_eq!(*query as usize, place);
            for lookup in [Lookup::Walk, Lookup::Probes] {
                let (text, types) = statements.of(*query, lookup);
                let names_schema = text.contains("\"secretkit\".") || text.contains("'secretkit'");
                assert!(!text.contains('@') && names_schema, "{text}");
                for number in 1..=types.len() {
                    assert!(text.contains(&format!("${number}")), "{text}");
                }
                assert!(!text.contains(&format!("${}", types.len() + 1)), "{text}");
                assert_eq!(unqualified(text), None, "{text}");
            }
        }
    }

    #[test]
    fn a_version_that_is_not_understood_is_an_old_one() {
        for version in ["17.10", "17", "18beta1", "170.1 (of tomorrow)"] {
            assert_eq!(Lookup::of_version(Some(version)), Lookup::Walk, "{version}");
        }
        for version in ["15.18 (Debian 15.18-0+deb12u1)", "9.6.24", "16devel", "", "seventeen"] {
            assert_eq!(Lookup::of_version(Some(version)), Lookup::Probes, "{version}");
        }
        assert_eq!(Lookup::of_version(None), Lookup::Probes);
    }
}
