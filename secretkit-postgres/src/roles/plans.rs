//! That a policy is no reason for the server to read more than it must.

use std::collections::BTreeSet;

use secretkit_test_postgres::{Address, Database};
use tokio_postgres::types::Kind;

use crate::schema::SchemaName;
use crate::statements::{Query, Statements};
use crate::{PostgresUrl, StoreRole, grant, migrate};

/// 10,000 secrets with two superseded values each, in ten orgs, and a login that sees one of them.
fn filled() -> Option<(Database, Address)> {
    let database = secretkit_test_postgres::database()?;
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url).unwrap();
    database.sql(&format!(
        "ALTER ROLE {} CREATEROLE; \
         INSERT INTO secretkit.secrets SELECT decode(md5(i::text), 'hex'), 'org-' || i % 10, \
            (ARRAY['', 'etl'])[i % 2 + 1], '', 'db', 'key-' || i, 3, 3, 1, NULL, NULL, NULL, '', '', 0, '', 0, '', 0, '', \
            sha256('d'), sha256('m'), sha512(i::text::bytea) || sha512('r') FROM generate_series(1, 10000) AS i; \
         INSERT INTO secretkit.revisions SELECT id, r, 0, '', sha256('d'), sha256('m'), record \
            FROM secretkit.secrets, generate_series(1, 2) AS r; \
         INSERT INTO secretkit.usage SELECT id, 0, '', sha256('m') FROM secretkit.secrets; \
         ANALYZE;",
        database.name()
    ));
    let login = database.role();
    let org = secretkit_core::Part::parse(secretkit_core::PartKind::Org, "org-1").unwrap();
    grant(&url, login.user_name(), StoreRole::Reader, &org, Some(database.name())).unwrap();
    Some((database, login))
}

/// The plan of a statement with these arguments.
fn plan(database: &Database, who: &Address, query: Query, mode: &str, arguments: &str) -> String {
    let statements = Statements::of_schema(&SchemaName::default());
    let (text, types) = statements.of(query);
    let types = types.iter().map(|kind| match kind.kind() {
        Kind::Array(of) => format!("{}[]", of.name()),
        _ => kind.name().to_owned(),
    });
    let types = types.collect::<Vec<_>>().join(", ");
    let statements = format!(
        "SET plan_cache_mode = {mode}; PREPARE q ({types}) AS {text}; \
         EXPLAIN (COSTS OFF) EXECUTE q ({arguments});"
    );
    database.sql_as(who, &statements).unwrap()
}

#[test]
fn a_login_that_sees_one_org_is_answered_by_the_same_indexes() {
    let Some((database, login)) = filled() else { return };
    let names: Vec<_> = (0..100).map(|number| number * 10 + 1).collect();
    let texts = |text: &dyn Fn(&i32) -> String| {
        format!("ARRAY[{}]", names.iter().map(|name| format!("'{}'", text(name))).collect::<Vec<_>>().join(", "))
    };
    let of = |text: &'static str| texts(&move |_| text.to_owned());
    let many = [
        format!("ARRAY[{}]", (0..100).map(|place| place.to_string()).collect::<Vec<_>>().join(", ")),
        of("org-1"),
        of("db"),
        texts(&|name| format!("key-{name}")),
        of("etl"),
        of(""),
        of("live"),
        of(""),
    ];
    let questions = [
        (Query::One, "'org-1', 'db', 'key-11', 'etl', '', 'live', ''".to_owned()),
        (Query::Many, many.join(", ")),
        (Query::ById, "'org-1', decode(md5('11'), 'hex')".to_owned()),
        (Query::History, "'org-1', 'db', 'key-11', 'etl', '', 'live', ''".to_owned()),
        (Query::Everywhere, "'org-1', '', '', '', '', 100".to_owned()),
    ];
    for (query, arguments) in &questions {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let [theirs, owners] =
                [&login, &database.address()].map(|who| plan(&database, who, *query, mode, arguments));
            let indexes = |plan: &str| {
                let scans = plan
                    .split_whitespace()
                    .filter(|word| word.starts_with("secrets_") || word.starts_with("revisions_"));
                scans.map(str::to_owned).collect::<BTreeSet<_>>()
            };
            for read in ["secrets", "revisions"] {
                assert!(!theirs.contains(&format!("Seq Scan on {read}")), "{query:?} {mode}: {theirs}");
            }
            // The policy of a table without an org looks at the secret, by its id.
            let more = indexes(&theirs).difference(&indexes(&owners)).cloned().collect::<Vec<_>>();
            assert!(more.is_empty() || more == ["secrets_pkey"], "{query:?} {mode}: {theirs}\n{owners}");
            assert!(indexes(&owners).is_subset(&indexes(&theirs)), "{query:?} {mode}: {theirs}\n{owners}");
        }
    }
}
