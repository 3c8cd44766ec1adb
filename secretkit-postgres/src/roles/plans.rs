//! That the server reads no more than it must, and that a policy is no reason to.

use std::collections::BTreeSet;

use secretkit_test_postgres::{Address, Database};
use tokio_postgres::types::Kind;

use crate::schema::SchemaName;
use crate::statements::{Lookup, Query, Statements};
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

/// The plan of a statement with these arguments, as this server is asked.
fn plan(database: &Database, who: &Address, query: Query, mode: &str, arguments: &str) -> String {
    let lookup = Lookup::of_version(Some(&database.sql("SHOW server_version;")));
    let explain = format!("SET plan_cache_mode = {mode}; EXPLAIN (COSTS OFF) EXECUTE q ({arguments});");
    asked(database, who, query, lookup, &explain)
}

/// What is answered where the statement is prepared as `q`.
fn asked(database: &Database, who: &Address, query: Query, lookup: Lookup, then: &str) -> String {
    let statements = Statements::of_schema(&SchemaName::default());
    let (text, types) = statements.of(query, lookup);
    let types = types.iter().map(|kind| match kind.kind() {
        Kind::Array(of) => format!("{}[]", of.name()),
        _ => kind.name().to_owned(),
    });
    let types = types.collect::<Vec<_>>().join(", ");
    database.sql_as(who, &format!("PREPARE q ({types}) AS {text}; {then}")).unwrap()
}

/// The arguments of each statement that looks for the nearest of a name.
fn nearest(key: &str, project: &str, domain: &str) -> [(Query, String); 5] {
    let one = format!("'org-1', 'db', '{key}', '{project}', '', '{domain}', ''");
    let each = format!(
        "ARRAY['org-1'], ARRAY['db'], ARRAY['{key}'], ARRAY['{project}'], ARRAY[''], ARRAY['{domain}'], ARRAY['']"
    );
    let none = "ARRAY[]::int4[], ARRAY[]::int8[], ARRAY[]::text[], ARRAY[]::bytea[]";
    [
        (Query::One, one.clone()),
        (Query::History, one),
        (Query::Names, format!("ARRAY[0], ARRAY['db'], ARRAY['{key}'], 'org-1', '{project}', '', '{domain}', ''")),
        (Query::Many, format!("ARRAY[0], {each}")),
        (Query::Any, format!("ARRAY[0], ARRAY[1::int8], {each}, {none}")),
    ]
}

/// The server counts on names that are rarely the same, and here one is that is the same everywhere.
#[test]
fn a_name_that_all_projects_have_is_looked_up_in_those_asked_for() {
    let Some((database, login)) = filled() else { return };
    database.sql(
        "INSERT INTO secretkit.secrets SELECT decode(md5('t' || i), 'hex'), 'org-1', 'project-' || i, 'live', 'db', \
            'token', 3, 3, 1, NULL, NULL, NULL, '', '', 0, '', 0, '', 0, '', 'd', 'm', 'r' \
            FROM generate_series(1, 1000) AS i; \
         ANALYZE;",
    );
    for who in [&login, &database.address()] {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            for (query, arguments) in nearest("token", "project-7", "live") {
                let plan = plan(&database, who, query, mode, &arguments);
                let conditions: Vec<_> = plan.lines().filter(|line| line.contains("key = ")).collect();
                let by_all = |line: &&str| {
                    line.contains("Index Cond") && line.contains("(project = ") && line.contains("(domain = ")
                };
                assert!(!conditions.is_empty() && conditions.iter().all(by_all), "{query:?} {mode}: {plan}");
            }
        }
    }
}

#[test]
fn both_ways_to_look_a_name_up_find_the_same() {
    let Some(database) = secretkit_test_postgres::database() else { return };
    migrate(&database.url().parse().unwrap()).unwrap();
    // Each of the sixteen ways in which four candidates are there or are not, and what is not asked for beside them.
    database.sql(
        "INSERT INTO secretkit.secrets SELECT decode(md5(i || '/' || c.project || '/' || c.domain), 'hex'), 'org-1', c.project, c.domain, 'db', \
            'key-' || i, 1, 1, 1, NULL, NULL, NULL, '', '', 0, '', 0, '', 0, '', 'd', 'm', sha512('r') || sha512('s') \
            FROM generate_series(0, 15) AS i, (VALUES (1, 'etl', 'live'), (2, 'etl', ''), (4, '', 'live'), (8, '', ''), \
            (16, 'other', 'live'), (16, 'etl', 'test')) AS c (n, project, domain) WHERE (i + 16) & c.n > 0;",
    );
    let scopes = [("etl", "live"), ("etl", ""), ("", "live"), ("", ""), ("none", "none")];
    let each = (0..16).flat_map(|number| scopes.map(|(project, domain)| (format!("key-{number}"), project, domain)));
    let each: Vec<_> = each.map(|(key, project, domain)| nearest(&key, project, domain)).collect();
    for place in 0..5 {
        let query = each[0][place].0;
        let all = each.iter().map(|queries| format!("EXECUTE q ({});\n", queries[place].1)).collect::<String>();
        let [walk, probes] =
            [Lookup::Walk, Lookup::Probes].map(|lookup| asked(&database, &database.address(), query, lookup, &all));
        assert_eq!(walk, probes, "{query:?}");
        // Nothing is found where none of the candidates that are asked for is there.
        assert_eq!(walk.lines().count(), 15 + 12 + 12 + 8 + 8, "{query:?} {walk}");
    }
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
    let same = [&many[0], &many[2], &many[3]].map(String::as_str).join(", ");
    let questions = [
        (Query::One, "'org-1', 'db', 'key-11', 'etl', '', 'live', ''".to_owned()),
        (Query::Many, many.join(", ")),
        (Query::Names, format!("{same}, 'org-1', 'etl', '', 'live', ''")),
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
            // Who asks is found out once in a statement, and not for each row of `logins`.
            assert!(theirs.contains("InitPlan") && !theirs.contains("to_regrole"), "{query:?} {mode}: {theirs}");
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
