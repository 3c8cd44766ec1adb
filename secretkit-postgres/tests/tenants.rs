//! What a login can do to the orgs of others with SQL in hand: nothing.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use secretkit_core::seal::RootKeys;
use secretkit_core::store::Within;
use secretkit_core::{ErrorKind, KeyProvider, PutMode, RootKey, SecretValue, Token, Verified};
use secretkit_postgres::{PostgresStore, StoreRole, examine, grant, grants, migrate, revoke};
use secretkit_test_postgres::Address;
use support::tenants::{OF_ORGS, OF_SECRETS, Tenants, part, with_keys};
use support::{applied, get, id, put, url};

/// Runs statements as this login. An error begins with its SQLSTATE.
fn run(tenants: &Tenants, login: &Address, statements: &str) -> Result<String, String> {
    let told = tenants.home.database.sql_as(login, &format!("\\set VERBOSITY verbose\n{statements}"));
    told.map_err(|error| match error.split_once("ERROR:") {
        Some((_, error)) => error.trim().to_owned(),
        None => error,
    })
}

#[track_caller]
fn refused(tenants: &Tenants, login: &Address, statements: &str, states: &[&str]) -> String {
    match run(tenants, login, statements) {
        Err(error) if states.iter().any(|state| error.starts_with(state)) => error,
        other => panic!("{statements}: {other:?}"),
    }
}

const DENIED: &str = "42501";

/// A login in each role, which sees `acme` alone.
fn logins(tenants: &Tenants) -> BTreeMap<StoreRole, Address> {
    StoreRole::ALL.into_iter().map(|role| (role, tenants.login(role, &["acme"]))).collect()
}

/// Which rows are another org's, as its owner would ask.
fn others(table: &str) -> &'static str {
    match OF_SECRETS.contains(&table) {
        true => "secret_id IN (SELECT id FROM secretkit.secrets WHERE org = 'beta')",
        false => "org = 'beta'",
    }
}

#[test]
fn no_row_of_another_org_is_seen_or_changed() {
    let Some(tenants) = Tenants::new() else { return };
    let before = tenants.rows("beta");
    // Ids are no secrets: whoever saw one in a log knows it.
    let their_id = tenants.home.database.sql("SELECT id FROM secretkit.secrets WHERE org = 'beta' AND grp = 'db';");
    let knows_merge = tenants.home.database.sql("SELECT current_setting('server_version_num')::int >= 150000;") == "t";
    for (role, login) in logins(&tenants) {
        for table in OF_ORGS.iter().chain(&OF_SECRETS) {
            if *table == "settled" && !writes(role) {
                refused(&tenants, &login, "SELECT FROM secretkit.settled;", &[DENIED]);
                continue;
            }
            let sql = |statements: &str| run(&tenants, &login, statements);
            let (ours, all) =
                (tenants.home.database.sql(&count(table)), format!("SELECT count(*) FROM secretkit.{table};"));
            assert_eq!(sql(&all).unwrap(), ours, "{role} {table}");
            let theirs = format!("SELECT count(*) FROM secretkit.{table} WHERE {};", others(table));
            assert_eq!(sql(&theirs).unwrap(), "0", "{role} {table}");
            let copied = sql(&format!("COPY secretkit.{table} TO STDOUT;")).unwrap();
            assert_eq!(copied.lines().count().to_string(), ours, "{role} {table}");
            assert!(!copied.contains("beta") && !copied.contains(&their_id), "{role} {table}");
            let merge = format!(
                "MERGE INTO secretkit.{table} AS t USING (VALUES (1)) AS x ON {} WHEN MATCHED THEN DELETE;",
                others(table)
            );
            let statements = [
                // Every column, and every row that the login can reach.
                format!("UPDATE secretkit.{table} SET mac = '' WHERE {};", others(table)),
                format!("UPDATE secretkit.{table} SET record = '' WHERE {};", others(table)),
                format!("DELETE FROM secretkit.{table} WHERE {};", others(table)),
                format!("SELECT FROM secretkit.{table} WHERE {} FOR UPDATE;", others(table)),
            ];
            for statement in statements.into_iter().chain(knows_merge.then_some(merge)) {
                // It is not allowed, or meets no row, or there is no such column.
                let outcome = sql(&statement);
                let fine = outcome
                    .as_ref()
                    .map_or_else(|error| error.starts_with(DENIED) || error.starts_with("42703"), String::is_empty);
                assert!(fine, "{role} {statement} {outcome:?}");
            }
            refused(&tenants, &login, &format!("TRUNCATE secretkit.{table} CASCADE;"), &[DENIED]);
            refused(&tenants, &login, &format!("COPY secretkit.{table} FROM STDIN;\n\\.\n"), &[DENIED, "0A000"]);
            let off = format!("SET row_security = off; SELECT count(*) FROM secretkit.{table};");
            refused(&tenants, &login, &off, &[DENIED]);
        }
        assert_eq!(tenants.rows("beta"), before, "{role}");
    }
}

fn count(table: &str) -> String {
    format!("SELECT count(*) FROM secretkit.{table} WHERE {};", others(table).replace("beta", "acme"))
}

#[test]
fn no_row_is_put_into_another_org() {
    let Some(tenants) = Tenants::new() else { return };
    let before = tenants.rows("beta");
    let id_of = |org: &str| {
        tenants.home.database.sql(&format!("SELECT id FROM secretkit.secrets WHERE org = '{org}' AND key = 'token';"))
    };
    let (ours, theirs) = (id_of("acme"), id_of("beta"));
    for login in logins(&tenants).values() {
        let denied = |statement: &str| refused(&tenants, login, statement, &[DENIED]);
        denied("INSERT INTO secretkit.keyring VALUES ('beta', 1, '', '', '');");
        denied("INSERT INTO secretkit.keyring VALUES ('beta', 1, '', '', '') ON CONFLICT DO NOTHING;");
        denied(
            "INSERT INTO secretkit.keyring VALUES ('beta', 1, '', '', '') ON CONFLICT (org) DO UPDATE SET version = 9;",
        );
        denied("INSERT INTO secretkit.events VALUES ('beta', 1, 9, '', 0, '', '');");
        denied("INSERT INTO secretkit.lanes VALUES ('beta', 15, 1, '');");
        denied("INSERT INTO secretkit.lanes VALUES ('beta', 0, 1, '') ON CONFLICT (org, lane) DO UPDATE SET seq = 0;");
        let secret = "SELECT '\\x01', 'beta', '', '', '', 'new', 1, 1, 1, NULL, NULL, NULL, '', '', 0, '', 0, '', 0, '', '', '', ''";
        denied(&format!("INSERT INTO secretkit.secrets {secret};"));
        denied(&format!("INSERT INTO secretkit.secrets {secret} ON CONFLICT DO NOTHING;"));
        denied("INSERT INTO secretkit.settled VALUES ('beta', '\\x00', '');");
        // A secret of ours does not move to them.
        denied("UPDATE secretkit.secrets SET org = 'beta';");
        denied("UPDATE secretkit.lanes SET org = 'beta';");
        // Whether there is a secret with an id that is not ours makes no difference.
        for id in [theirs.as_str(), "\\x00000000000000000000000000000000"] {
            denied(&format!("INSERT INTO secretkit.usage VALUES ('{id}', 0, '', '');"));
            denied(&format!("INSERT INTO secretkit.consumers VALUES ('{id}', 'x', 0, '', '');"));
            denied(&format!("INSERT INTO secretkit.revisions VALUES ('{id}', 1, 0, '', '', '', '');"));
            denied(&format!("UPDATE secretkit.usage SET secret_id = '{id}';"));
        }
    }
    assert_eq!(tenants.rows("beta"), before);
    assert_ne!(ours, theirs);
}

#[test]
fn nobody_chooses_their_orgs() {
    let Some(tenants) = Tenants::new() else { return };
    let logins = logins(&tenants);
    let other = tenants.login(StoreRole::Writer, &["beta"]);
    let prefix = tenants.home.database.name();
    let (owner, other) = (tenants.home.database.name(), other.user_name().to_owned());
    let visible = "SELECT string_agg(DISTINCT org, ' ') FROM secretkit.secrets;";
    for (role, login) in &logins {
        let own = login.user_name();
        assert_eq!(run(&tenants, login, "SELECT login, org FROM secretkit.logins;").unwrap(), format!("{own}|acme"));
        let denied = |statement: &str| refused(&tenants, login, statement, &[DENIED]);
        denied(&format!("INSERT INTO secretkit.logins VALUES ('{own}', 'beta');"));
        denied("UPDATE secretkit.logins SET org = 'beta';");
        denied("DELETE FROM secretkit.logins;");
        denied("SELECT * FROM secretkit.roles;");
        denied(&format!("SET ROLE \"{owner}\";"));
        denied(&format!("SET ROLE \"{other}\";"));
        denied(&format!("SET SESSION AUTHORIZATION \"{owner}\";"));
        denied(&format!("SET SESSION AUTHORIZATION \"{other}\";"));
        denied(&format!("GRANT \"{prefix}_writer\" TO \"{own}\" WITH ADMIN OPTION;"));
        denied("ALTER TABLE secretkit.secrets DISABLE ROW LEVEL SECURITY;");
        denied("DROP POLICY own ON secretkit.secrets;");
        denied("CREATE POLICY mine ON secretkit.secrets USING (true);");
        denied(
            "CREATE OR REPLACE FUNCTION secretkit.lock_key(kind text, name text) RETURNS bigint LANGUAGE sql RETURN 1;",
        );
        denied("CREATE TABLE secretkit.mine ();");
        denied(&format!("ALTER ROLE \"{own}\" BYPASSRLS;"));
        // What can be set changes nothing: the group, the path, a variable, a table of the same name before ours.
        for setting in [
            format!("SET ROLE \"{prefix}_{role}\";"),
            format!("SET SESSION AUTHORIZATION \"{own}\";"),
            "SET search_path = pg_temp, secretkit; CREATE TEMP TABLE logins (login name, org text); \
             INSERT INTO logins SELECT session_user, 'beta';"
                .to_owned(),
            "CREATE FUNCTION pg_temp.session_user() RETURNS name LANGUAGE sql RETURN 'postgres'::name; \
             SET search_path = pg_temp, pg_catalog;"
                .to_owned(),
            "SET secretkit.org = 'beta'; SET application_name = 'beta';".to_owned(),
        ] {
            let told = run(&tenants, login, &format!("{setting} {visible}"))
                .unwrap_or_else(|error| panic!("{setting} {error}"));
            assert_eq!(told, "acme", "{role} {setting}");
        }
        let options =
            [format!("-c role={prefix}_{role}"), "-c search_path=pg_temp".to_owned(), "-c a.org=beta".to_owned()];
        for options in options {
            assert_eq!(run(&tenants, &login.clone().with("options", &options), visible).unwrap(), "acme", "{options}");
        }
        for options in [format!("-c session_authorization={owner}"), format!("-c role={owner}")] {
            let outcome = run(&tenants, &login.clone().with("options", &options), visible);
            assert!(outcome.as_ref().map_or(true, |orgs| orgs == "acme"), "{options} {outcome:?}");
        }
    }
}

/// Nobody is given a role who may create in the schema. This is what holds where that was given afterwards.
#[test]
fn nothing_that_others_put_into_the_schema_runs_with_its_owners_rights() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Writer, &["acme"]);
    let name = login.user_name();
    tenants.home.database.sql(&format!("GRANT CREATE ON SCHEMA secretkit TO {name};"));
    // What fits better than anything of the server's own is taken, wherever on the path it stands.
    let mut trap = format!(
        "CREATE TABLE secretkit.ran (who name); GRANT ALL ON secretkit.ran TO PUBLIC; \
         CREATE FUNCTION secretkit.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
            INSERT INTO secretkit.ran VALUES (current_user); \
            IF current_user <> '{name}' THEN INSERT INTO secretkit.logins VALUES ('{name}', 'beta'); END IF; \
            RETURN false; END $$; "
    );
    for (operator, left, right) in [
        (">", "float8", "numeric"),
        (">", "float8", "integer"),
        ("<>", "integer", "bigint"),
        ("=", "char", "name"),
        ("=", "regrole", "regrole"),
        ("=", "regrole", "oid"),
        ("||", "text", "varchar"),
    ] {
        trap.push_str(&format!(
            "CREATE FUNCTION secretkit.trap({left}, {right}) RETURNS boolean LANGUAGE sql AS 'SELECT secretkit.trap()'; \
             CREATE OPERATOR secretkit.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = secretkit.trap); "
        ));
    }
    run(&tenants, &login, &trap).unwrap();
    // It is there, for whoever looks into the schema.
    let looks = "SET search_path = pg_catalog, secretkit; SELECT 1::float8 > 0.5;";
    assert_eq!(run(&tenants, &login, looks).unwrap(), "f");
    let lease = "SELECT secretkit.listen(decode(repeat('00', 16), 'hex'));";
    assert_eq!(run(&tenants, &login, lease).unwrap(), "f");
    put(&tenants.secrets(&login), "acme:token", b"told");
    assert_eq!(run(&tenants, &login, lease).unwrap(), "t");
    run(&tenants, &login, "SELECT secretkit.unlisten(decode(repeat('00', 16), 'hex'));").unwrap();
    put(&tenants.owner, "acme:token", b"2");
    assert_eq!(tenants.home.database.sql("SELECT org FROM secretkit.logins;"), "acme");
    assert_eq!(tenants.home.database.sql("SELECT DISTINCT who FROM secretkit.ran;"), name);
    // And who creates in it is given no more.
    let more = grant(&tenants.home.url(), name, StoreRole::Writer, &part("beta"), None).unwrap_err();
    assert!(more.kind() == ErrorKind::Denied && more.to_string().contains("may create in the schema"), "{more}");
}

/// Every login of a database that began with PostgreSQL 14 may create in `public`, which stands on everybody's search path.
#[test]
fn nothing_that_others_put_on_the_search_path_runs_with_the_rights_of_whoever_asks() {
    let Some(tenants) = Tenants::new() else { return };
    let database = &tenants.home.database;
    database.sql("GRANT CREATE ON SCHEMA public TO PUBLIC;");
    let login = tenants.login(StoreRole::Reader, &["acme"]);
    let mut trap = "CREATE TABLE public.ran (who name); GRANT ALL ON public.ran TO PUBLIC; \
         CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
            INSERT INTO public.ran VALUES (current_user); RETURN false; END $$; \
         CREATE FUNCTION public.unnest(bytea[]) RETURNS SETOF bytea LANGUAGE sql \
            AS 'SELECT public.trap(); SELECT pg_catalog.unnest($1)'; "
        .to_owned();
    for kind in ["bigint", "text"] {
        trap.push_str(&format!(
            "CREATE FUNCTION public.gather({kind}[], {kind}) RETURNS {kind}[] LANGUAGE sql \
                AS 'SELECT public.trap(); SELECT pg_catalog.array_append($1, $2)'; \
             CREATE AGGREGATE public.array_agg({kind}) (SFUNC = public.gather, STYPE = {kind}[]); "
        ));
    }
    for (operator, left, right, result) in [
        ("=", "oid", "integer", "boolean"),
        ("=", "oid", "regclass", "boolean"),
        ("*", "numeric", "integer", "numeric"),
    ] {
        trap.push_str(&format!(
            "CREATE FUNCTION public.trap({left}, {right}) RETURNS {result} LANGUAGE sql \
                AS 'SELECT public.trap(); SELECT NULL::{result}'; \
             CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = public.trap); "
        ));
    }
    run(&tenants, &login, &trap).unwrap();
    // They are taken where nothing is said of a schema.
    for mine in [
        "array_agg(1::bigint)",
        "array_agg(''::text)",
        "unnest('{a}'::bytea[])",
        "1::oid = 1",
        "extract(epoch FROM now()) * 1",
    ] {
        run(&tenants, &login, "DELETE FROM public.ran;").unwrap();
        run(&tenants, &login, &format!("SELECT {mine};")).unwrap();
        assert_eq!(database.sql("SELECT DISTINCT who FROM public.ran;"), login.user_name(), "{mine}");
    }
    run(&tenants, &login, "DELETE FROM public.ran;").unwrap();

    // As behind a pooler, which drops the path that we ask for.
    let owner = database.address().with("schema", "secretkit").with("options", "-c search_path=public,pg_temp");
    let store = PostgresStore::open(&url(&owner)).unwrap();
    assert!(!store.is_empty().unwrap());
    let secrets = tenants.home.secrets(store);
    put(&secrets, "acme:token", b"2");
    assert_eq!(get(&secrets, "acme:token"), b"2");
    let (password, acme) = (id("acme/etl:db/password"), part("acme"));
    assert_eq!(secrets.history(&password).unwrap().len(), 2);
    assert_eq!(secrets.consumers(&password).unwrap().len(), 1);
    assert_eq!(secrets.list(Within::Org(acme.clone()), 2).map(|page| page.unwrap().len()).sum::<usize>(), 3);
    assert!(secrets.verify(&acme).flat_map(Result::unwrap).all(|told| matches!(told, Verified::Progress(_))));
    assert!(!secrets.outcome(&acme, &Token::generate().unwrap()).unwrap());
    drop(secrets);
    examine(&url(&owner)).unwrap();
    assert!(grant(&url(&owner), login.user_name(), StoreRole::Reader, &part("beta"), None).unwrap());
    assert_eq!(grants(&url(&owner)).unwrap().len(), 2);
    assert_eq!(revoke(&url(&owner), login.user_name(), None).unwrap(), 2);
    assert!(migrate(&url(&owner)).unwrap().is_current());
    assert_eq!(database.sql("SELECT string_agg(DISTINCT who, ' ') FROM public.ran;"), "");
}

#[test]
fn functions_called_by_hand_do_nothing_to_another_org() {
    let Some(tenants) = Tenants::new() else { return };
    let before = tenants.rows("beta");
    let theirs = tenants.home.database.sql("SELECT id FROM secretkit.secrets WHERE org = 'beta' AND key = 'token';");
    let token = tenants.home.database.sql("SELECT token FROM secretkit.events WHERE org = 'beta' LIMIT 1;");
    let stamp = tenants.home.database.sql(
        "SELECT version || ', ''' || substr(keyset, 69, 32)::text || '''' FROM secretkit.keyring WHERE org = 'beta';",
    );
    let apply = |expectations: &str, changes: &str, events: &str| {
        let applied = applied("beta", true, [expectations, changes, events], &format!("'{theirs}', '\\x01', '\\x02'"));
        format!("SELECT a.refused, a.there, a.number FROM {applied};")
    };
    for (role, login) in logins(&tenants) {
        let sql = |statement: &str| run(&tenants, &login, statement);
        assert_eq!(sql("SELECT * FROM secretkit.key_uses('beta');").unwrap(), "", "{role}");
        let touch = format!(
            "SELECT secretkit.touch('beta', {stamp}, ARRAY['{theirs}']::bytea[], ARRAY[1], ARRAY['x'], ARRAY['\\x00']::bytea[]);"
        );
        match sql(&touch) {
            Ok(told) => assert!(told == "t" && role != StoreRole::Auditor, "{role} {told}"),
            Err(error) => assert!(error.starts_with(DENIED) && role == StoreRole::Auditor, "{role} {error}"),
        }
        let calls = [
            // What is expected of them is as if there were nothing.
            (apply(r#"[{"kind": "generation", "org": "beta", "id": 1, "number": 1}]"#, "[]", "[]"), "0|nothing|"),
            (apply(r#"[{"kind": "exists", "org": "beta", "id": 1}]"#, "[]", "[]"), "0|nothing|"),
            (apply(r#"[{"kind": "keyring", "org": "beta"}]"#, "[]", "[]"), "||"),
            (
                apply(
                    r#"[{"kind": "absent", "org": "beta", "project": "", "domain": "", "grp": "", "key": "token"}]"#,
                    "[]",
                    "[]",
                ),
                "||",
            ),
            (apply(r#"[{"kind": "no_secrets", "org": "beta"}]"#, "[]", "[]"), "||"),
            (apply(r#"[{"kind": "no_consumers", "org": "beta", "id": 1}]"#, "[]", "[]"), "||"),
            // Nothing of them changes.
            (apply("[]", r#"[{"kind": "delete", "org": "beta", "id": 1}]"#, "[]"), "SK001"),
            (apply("[]", r#"[{"kind": "unregister", "org": "beta", "id": 1, "key": "payroll"}]"#, "[]"), "||"),
            (
                apply(
                    "[]",
                    r#"[{"kind": "register", "org": "beta", "id": 1, "key": "x", "value_at": 1, "value_by": "x", "mac": 2}]"#,
                    "[]",
                ),
                "SK001",
            ),
            (
                apply(
                    "[]",
                    r#"[{"kind": "replace_revision", "org": "beta", "id": 1, "revision": 1, "value_at": 1, "value_by": "x", "digest": 2, "mac": 2, "record": 2}]"#,
                    "[]",
                ),
                "SK001",
            ),
            (
                apply(
                    "[]",
                    r#"[{"kind": "reseal", "org": "beta", "id": 1, "project": "", "domain": "", "grp": "", "key": "token", "digest": 2, "mac": 2, "record": 2}]"#,
                    "[]",
                ),
                "SK001",
            ),
            (
                apply(
                    "[]",
                    r#"[{"kind": "keyring", "org": "beta", "revision": 9, "key": "k", "mac": 2, "record": 2}]"#,
                    "[]",
                ),
                DENIED,
            ),
            (
                apply(
                    "[]",
                    "[]",
                    r#"[{"org": "beta", "lane": 0, "seq": 1, "token": 2, "at": 1, "body": 2, "mac": 2}]"#,
                ),
                DENIED,
            ),
        ];
        for (call, expected) in calls {
            match sql(&call) {
                Ok(told) => assert!(told == expected && writes(role), "{role} {call} {told}"),
                Err(error) => assert!(
                    error.starts_with(DENIED) || writes(role) && error.starts_with(expected),
                    "{role} {call} {error}"
                ),
            }
        }
        // An answer would be kept, and nothing of that is theirs to keep.
        refused(&tenants, &login, &format!("SELECT secretkit.outcome('beta', '{token}');"), &[DENIED]);
        refused(&tenants, &login, &format!("SELECT secretkit.settle('beta', '{token}');"), &[DENIED]);
        assert_eq!(tenants.rows("beta"), before, "{role}");
    }
}

fn writes(role: StoreRole) -> bool {
    matches!(role, StoreRole::Writer | StoreRole::Rotator)
}

#[test]
fn nothing_leaks_by_the_way() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Writer, &["acme"]);
    tenants.home.database.sql("ANALYZE;");
    let sql = |statement: &str| run(&tenants, &login, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    // A function that tells what it is asked about is asked about nothing of theirs, however cheap it says it is.
    let spied = tenants.home.database.sql_as(
        &login,
        "CREATE FUNCTION pg_temp.tell(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS \
         'BEGIN RAISE EXCEPTION ''told: %'', what; END'; \
         SELECT count(*) FROM secretkit.secrets WHERE org = 'beta' AND pg_temp.tell(org || key);",
    );
    assert_eq!(spied.unwrap(), "0");
    // Nor do an error of a cast or a division tell.
    assert_eq!(
        sql("SELECT count(*) FROM secretkit.secrets WHERE org = 'beta' AND 1 / (length(key) - length(key)) = 1;"),
        "0"
    );
    assert_eq!(sql("SELECT count(*) FROM secretkit.secrets WHERE org = 'beta' AND key::integer = 1;"), "0");
    // Statistics hold values of every row.
    assert_eq!(
        sql(
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'secretkit' AND tablename <> 'migrations' AND tablename <> 'store';"
        ),
        "0"
    );
    assert_eq!(sql("SELECT count(*) FROM pg_stats_ext;"), "0");
    // An id that is taken by somebody else is a conflict, which shows no more than what was sent.
    let theirs = tenants.home.database.sql("SELECT id FROM secretkit.secrets WHERE org = 'beta' AND key = 'token';");
    let taken = refused(
        &tenants,
        &login,
        &format!(
            "INSERT INTO secretkit.secrets SELECT '{theirs}', 'acme', '', '', '', 'new', 1, 1, 1, NULL, NULL, NULL, '', '', 0, '', 0, '', 0, '', '', '', '';"
        ),
        &["23505"],
    );
    assert!(!taken.contains("DETAIL") && !taken.contains("beta"), "{taken}");
    // Their names are free to us.
    let secrets = tenants.secrets(&login);
    put(&tenants.owner, "beta:only-theirs", b"1");
    secrets.put(&id("acme:only-theirs"), &SecretValue::copied_from(b"2"), PutMode::Create).unwrap();
    assert_eq!(get(&tenants.owner, "beta:only-theirs"), b"1");
    let plan = sql("EXPLAIN (COSTS OFF) SELECT * FROM secretkit.secrets WHERE org = 'beta';");
    assert!(plan.contains("InitPlan") && !plan.contains("t0k3n"), "{plan}");
}

/// Who may hold up others with a lock of a table, and where: a right to delete is one to lock. The documentation says so.
#[test]
fn only_a_writer_locks_tables_and_only_those_it_deletes_from() {
    let Some(tenants) = Tenants::new() else { return };
    let tables = tenants.home.database.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'secretkit'::regnamespace AND relkind = 'r' ORDER BY 1;",
    );
    for (role, login) in logins(&tenants) {
        let locked = tables.lines().filter(|table| {
            // Of those that hold up somebody who reads or writes, the weakest.
            let lock = format!("BEGIN; LOCK TABLE secretkit.{table} IN SHARE MODE; ROLLBACK;");
            run(&tenants, &login, &lock).map_err(|error| assert!(error.starts_with(DENIED), "{error}")).is_ok()
        });
        let expected: &[&str] = if role == StoreRole::Writer { &["consumers", "revisions", "secrets"] } else { &[] };
        assert_eq!(locked.collect::<Vec<_>>(), expected, "{role}");
    }
}

#[test]
fn rows_of_an_org_with_another_root_key_open_for_nobody_else() {
    let Some(tenants) = Tenants::new() else { return };
    let login = tenants.login(StoreRole::Reader, &["acme"]);
    let beta = Arc::new(RootKey::generate().unwrap());
    let shared: Arc<dyn KeyProvider> = Arc::clone(&tenants.home.key) as _;
    let moving = RootKeys::new(Arc::clone(&shared)).with_own(part("beta"), Arc::clone(&beta) as _);
    let moving = moving.with_previous(shared);
    with_keys(&tenants.home.database.address(), Arc::new(moving)).keys().rewrap().unwrap();
    // A superuser shows the one org to the process of the other.
    let name = login.user_name();
    tenants.home.database.sql(&format!("INSERT INTO secretkit.logins VALUES ('{name}', 'beta');"));
    let secrets = tenants.secrets(&login);
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    assert_eq!(run(&tenants, &login, "SELECT count(*) FROM secretkit.secrets WHERE org = 'beta';").unwrap(), "3");
    assert_eq!(secrets.get(&id("beta:token")).unwrap_err().kind(), ErrorKind::WrongRootKey);
    assert_eq!(get(&with_keys(&login, beta), "beta:token"), b"t0k3n");
    // Or moves its rows, with their keyring or without.
    tenants.home.database.sql(
        "SET session_replication_role = replica; DELETE FROM secretkit.secrets WHERE org = 'acme' AND key = 'token'; \
         UPDATE secretkit.secrets SET org = 'acme' WHERE org = 'beta' AND key = 'token';",
    );
    let moved = tenants.secrets(&login).get(&id("acme:token")).unwrap_err().kind();
    assert!(matches!(moved, ErrorKind::UnknownKey | ErrorKind::Corrupt), "{moved}");
    tenants.home.database.sql(
        "DELETE FROM secretkit.keyring WHERE org = 'acme'; UPDATE secretkit.keyring SET org = 'acme' WHERE org = 'beta';",
    );
    let moved = tenants.secrets(&login).get(&id("acme:token")).unwrap_err().kind();
    assert!(matches!(moved, ErrorKind::WrongRootKey | ErrorKind::Corrupt), "{moved}");
}
