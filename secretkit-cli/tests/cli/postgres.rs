//! The same commands on a PostgreSQL store: nothing changes but the URL.

use std::ffi::OsStr;

use secretkit::ErrorKind;
use secretkit_test_postgres::{Database, database};
use serde_json::json;

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

/// Runs a command on the store of this URL.
fn on(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Outcome {
    sandbox.run_with(arguments, b"", &[("SECRETKIT_STORE", OsStr::new(url))])
}

#[track_caller]
fn ok(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Outcome {
    let outcome = on(sandbox, url, arguments);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

/// A database, and the URL of a store in it.
fn place() -> Option<(Database, String)> {
    let database = database()?;
    let url = database.url();
    Some((database, url))
}

#[test]
fn a_secret_is_kept_listed_run_with_and_deleted() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    let made = ok(&sandbox, &url, &["create", "db/password", CANARY, "--scope", "acme/etl", "--tag", "eu"]);
    let password = database.address().password_text().to_owned();
    assert!(
        made.stderr.contains("made the store postgres://") && made.stderr.contains("made the root key"),
        "{made:?}"
    );
    assert!(!made.stderr.contains(&password), "{made:?}");
    ok(&sandbox, &url, &["update", "db/password", &format!("{CANARY}-two"), "--scope", "acme/etl"]);
    let reveal = |more: &[&str]| {
        let arguments = [&["reveal", "db/password", "--scope", "acme/etl/production"], more].concat();
        ok(&sandbox, &url, &arguments).text()
    };
    assert_eq!((reveal(&[]), reveal(&["--revision", "1"])), (format!("{CANARY}-two"), CANARY.to_owned()));
    let listed = ok(&sandbox, &url, &["list", "--scope", "acme/etl", "-o", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let length = format!("test ${{#PW}} = {}", CANARY.len() + "-two".len());
    ok(&sandbox, &url, &["run", "--scope", "acme/etl", "--env", "db/password=PW", "--", "sh", "-c", &length]);
    ok(&sandbox, &url, &["key", "rotate", "--org", "acme", "--yes"]);
    assert_eq!(reveal(&[]), format!("{CANARY}-two"));
    let verified = ok(&sandbox, &url, &["verify"]);
    assert!(verified.stderr.contains("nothing is wrong"), "{verified:?}");
    ok(&sandbox, &url, &["delete", "db/password", "--scope", "acme/etl", "--yes"]);
    let gone = on(&sandbox, &url, &["reveal", "db/password", "--scope", "acme/etl"]);
    assert_eq!(gone.code, i32::from(ErrorKind::NotFound.exit_code()), "{gone:?}");
    // The user's own SQLite store was never made.
    assert!(!sandbox.store().exists());
}

#[test]
fn no_row_keeps_verify_from_the_others() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    for org in ["acme", "beta"] {
        ok(&sandbox, &url, &["create", "token", CANARY, "--org", org]);
    }
    let found = || {
        let outcome = on(&sandbox, &url, &["verify", "-o", "json"]);
        let rows = outcome.json().as_array().unwrap().clone();
        (outcome.code, rows.into_iter().map(|row| (row["finding"].clone(), row["org"].clone())).collect::<Vec<_>>())
    };
    let damaged = |org: &str| (json!("damaged"), json!(org));
    let nameless = (json!("damaged"), json!(null));
    let schema = "SET search_path = secretkit; ";
    database.sql(&format!("{schema} UPDATE secrets SET description = 'forged' WHERE org = 'acme'"));
    assert_eq!(found(), (40, vec![damaged("acme")]));
    database.sql(&format!(
        "{schema} INSERT INTO keyring SELECT 'b ad', version, kek_id, wrapped_key, keyset FROM keyring WHERE org = 'beta'"
    ));
    assert_eq!(found(), (40, vec![damaged("acme"), nameless.clone()]));
    assert_eq!(on(&sandbox, &url, &["key", "status"]).code, 40);
    ok(&sandbox, &url, &["key", "status", "--org", "beta"]);
    database.sql(&format!(
        "{schema} DELETE FROM keyring WHERE org = 'b ad'; UPDATE keyring SET keyset = '\\x00' WHERE org = 'acme'"
    ));
    assert_eq!(found(), (40, vec![damaged("acme")]));
    // Secrets that no keyring would lead to.
    database.sql(&format!("{schema} DELETE FROM keyring WHERE org = 'acme'"));
    assert_eq!(found(), (40, vec![damaged("acme")]));
    database.sql(&format!("{schema} UPDATE secrets SET org = 'b ad' WHERE org = 'acme'"));
    assert_eq!(found(), (40, vec![nameless]));
}

#[test]
fn its_tables_are_made_and_told_of_without_a_root_key() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    let status = || ok(&sandbox, &url, &["store", "status", "-o", "json"]).json();
    let before = status();
    assert_eq!((&before["version"], &before["current"]), (&json!(null), &json!(false)));
    assert!(!before.to_string().contains(database.address().password_text()), "{before}");
    let listed = on(&sandbox, &url, &["list"]);
    assert_eq!(listed.code, i32::from(ErrorKind::NoStore.exit_code()), "{listed:?}");
    let made = ok(&sandbox, &url, &["store", "migrate"]);
    assert!(made.stderr.contains("made the store postgres://"), "{made:?}");
    assert!(ok(&sandbox, &url, &["store", "migrate"]).stderr.contains("nothing to do"));
    let after = status();
    assert_eq!((&after["version"], &after["current"]), (&after["needed"], &json!(true)));
    assert_eq!(after["commits"], "function");
    assert!(!sandbox.key().exists());
    database.sql("UPDATE secretkit.migrations SET version = version + 10;");
    let newer = on(&sandbox, &url, &["store", "status"]);
    assert_eq!(newer.code, i32::from(ErrorKind::NotAStore.exit_code()), "{newer:?}");
}

#[test]
fn a_server_without_functions_is_used_like_any_other() {
    let Some((database, url)) = place() else { return };
    database.sql("DROP EXTENSION plpgsql;");
    let sandbox = Sandbox::new();
    ok(&sandbox, &url, &["create", "db/password", CANARY, "--scope", "acme/etl", "-q"]);
    let status = ok(&sandbox, &url, &["store", "status"]);
    assert!(status.text().contains("up to date; without functions on the server"), "{status:?}");
    assert_eq!(ok(&sandbox, &url, &["store", "status", "-o", "json"]).json()["commits"], "transaction");
    ok(&sandbox, &url, &["update", "db/password", "--scope", "acme/etl", "--tag", "team=data"]);
    ok(&sandbox, &url, &["use", "add", "db/password", "nightly", "--scope", "acme/etl"]);
    let held = on(&sandbox, &url, &["delete", "db/password", "--scope", "acme/etl", "--yes"]);
    assert_eq!(held.code, i32::from(ErrorKind::InUse.exit_code()), "{held:?}");
    ok(&sandbox, &url, &["key", "rotate", "--org", "acme"]);
    assert_eq!(ok(&sandbox, &url, &["reveal", "db/password", "--scope", "acme/etl"]).text(), CANARY);
    ok(&sandbox, &url, &["verify"]);
    let doctor = on(&sandbox, &url, &["doctor"]);
    assert!(doctor.text().contains("without functions"), "{doctor:?}");
    let login = database.role();
    let grant = ["store", "grant", login.user_name(), "--role", "reader", "--org", "acme"];
    let refused = on(&sandbox, &url, &grant);
    assert_eq!(refused.code, i32::from(ErrorKind::Unsupported.exit_code()), "{refused:?}");
    copied_and_back(&sandbox, &url);
}

#[test]
fn a_store_is_copied_from_a_file_and_back() {
    let Some((_database, url)) = place() else { return };
    copied_and_back(&Sandbox::new(), &url);
}

/// Into a schema of its own.
fn copied_and_back(sandbox: &Sandbox, url: &str) {
    let url = format!("{url}&schema=copied");
    sandbox.create("db/password", CANARY.as_bytes(), "acme/etl");
    sandbox.ok(["update", "db/password", &format!("{CANARY}-two"), "--scope", "acme/etl"]);
    sandbox.create("token", CANARY.as_bytes(), "beta");
    let old = format!("sqlite:{}", sandbox.store().display());
    let back = format!("sqlite:{}", text(&sandbox.path("back.db")));
    for (from, to) in [(&old, &url), (&url, &back)] {
        let copied = sandbox.ok(["store", "copy", "--from", from, "--to", to, "-o", "json"]).json();
        assert_eq!(copied, json!({ "orgs": 2, "secrets": 2, "copied": 2, "equal": 2, "left": [] }));
    }
    for store in [&url, &back] {
        let reveal = ["reveal", "db/password", "--scope", "acme/etl", "--revision", "1"];
        assert_eq!(ok(sandbox, store, &reveal).text(), CANARY);
    }
}

#[test]
fn what_is_wrong_is_told_without_the_password() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    ok(&sandbox, &url, &["store", "migrate"]);
    let wrong = database.address().password("hUnter2-canary").to_string();
    let nobody = database.address().hosts("127.0.0.1:1").password("hUnter2-canary").to_string();
    for (url, kind) in [(&wrong, ErrorKind::Denied), (&nobody, ErrorKind::Unavailable)] {
        for arguments in
            [&["list"][..], &["list", "-o", "json"], &["store", "status"], &["doctor"], &["create", "a", "b"]]
        {
            let outcome = on(&sandbox, url, arguments);
            assert!(!format!("{outcome:?}").contains("hUnter2"), "{outcome:?}");
            if arguments != ["doctor"] {
                assert_eq!(outcome.code, i32::from(kind.exit_code()), "{outcome:?}");
            }
        }
    }
}

#[test]
fn doctor_looks_at_the_server_and_the_keys() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    let report = |url: &str| on(&sandbox, url, &["doctor", "-o", "json"]);
    let rating = |outcome: &Outcome, check: &str| {
        let rows = outcome.json();
        let rows = rows["checks"].as_array().unwrap().iter().filter(|row| row["check"] == check);
        rows.map(|row| row["rating"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rating(&report(&url), "tables"), ["secure"], "it works where there is nothing yet");
    ok(&sandbox, &url, &["create", "token", CANARY, "--org", "acme"]);
    let found = report(&url);
    for (check, expected) in
        [("TLS", "secure"), ("login", "weak"), ("password", "weak"), ("tables", "secure"), ("keys", "secure")]
    {
        assert_eq!(rating(&found, check), [expected], "{check}: {found:?}");
    }
    assert!(!format!("{found:?}").contains(database.address().password_text()), "{found:?}");
    assert!(!format!("{found:?}").contains("SQLite"), "there is none: {found:?}");
    // A superuser may do what no application needs to.
    let superuser = report(&database.superuser().to_string());
    assert_eq!((rating(&superuser, "login"), superuser.code), (vec!["insecure".to_owned()], 47), "{superuser:?}");
    // Where there is no server, that is what is to be put right.
    let nobody = report(&database.address().hosts("127.0.0.1:1").to_string());
    assert_eq!((rating(&nobody, "server"), nobody.code), (vec!["insecure".to_owned()], 47), "{nobody:?}");
}

#[test]
fn a_login_gets_a_role_in_an_org_and_loses_it() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    for org in ["acme", "beta"] {
        ok(&sandbox, &url, &["create", "token", &format!("{CANARY}-{org}"), "--org", org]);
    }
    let (login, prefix) = (database.role(), database.name());
    let (name, theirs) = (login.user_name(), login.to_string());
    let role = |role: &str, more: &[&str]| {
        on(&sandbox, &url, &[&["store", "grant", name, "--role", role, "--prefix", prefix], more].concat())
    };
    // What is missing is told: the org, the right to make groups, a role that there is.
    assert_eq!(role("reader", &[]).code, i32::from(ErrorKind::Usage.exit_code()));
    let denied = role("reader", &["--org", "acme"]);
    assert!(
        denied.code == i32::from(ErrorKind::Denied.exit_code()) && denied.stderr.contains("CREATEROLE"),
        "{denied:?}"
    );
    assert_eq!(role("boss", &["--org", "acme"]).code, i32::from(ErrorKind::Unsupported.exit_code()));
    let sql = ok(&sandbox, &url, &["store", "roles", "--prefix", prefix]).text();
    assert!(sql.contains("CREATE ROLE") && sql.contains("WITH ADMIN OPTION"), "{sql}");
    database.sql(&sql);

    assert_eq!(ok(&sandbox, &url, &["store", "grants", "-o", "json"]).json(), json!([]));
    let given = role("reader", &["--org", "acme"]);
    assert!(given.code == 0 && given.stderr.contains(&format!("{name} is a reader in org acme")), "{given:?}");
    assert!(role("reader", &["--org", "acme"]).stderr.contains("nothing to do"));
    let granted = json!([{ "login": name, "role": "reader", "org": "acme" }]);
    assert_eq!(ok(&sandbox, &url, &["store", "grants", "-o", "json"]).json(), granted);
    assert_eq!(ok(&sandbox, &url, &["store", "grants", "--org", "beta", "-o", "json"]).json(), json!([]));

    let reveal = |org: &str| on(&sandbox, &theirs, &["reveal", "token", "--org", org]);
    assert_eq!(reveal("acme").text(), format!("{CANARY}-acme"));
    assert_eq!(reveal("beta").code, i32::from(ErrorKind::NotFound.exit_code()));
    assert_eq!(
        ok(&sandbox, &theirs, &["list", "--all", "--org", "acme", "-o", "json"]).json().as_array().unwrap().len(),
        1
    );
    for arguments in [&["create", "other", CANARY][..], &["update", "token", CANARY], &["delete", "token", "--yes"]] {
        let denied = on(&sandbox, &theirs, &[arguments, &["--org", "acme"]].concat());
        assert_eq!(denied.code, i32::from(ErrorKind::Denied.exit_code()), "{denied:?}");
        assert!(denied.stderr.contains("takes the role writer in acme"), "{denied:?}");
    }
    // Whoever sees only some of the orgs never makes a root key.
    std::fs::rename(sandbox.key(), sandbox.path("away")).unwrap();
    let keyless = on(&sandbox, &theirs, &["create", "other", CANARY, "--org", "beta"]);
    assert_eq!(keyless.code, i32::from(ErrorKind::NoRootKey.exit_code()), "{keyless:?}");
    assert!(!sandbox.key().exists());
    std::fs::rename(sandbox.path("away"), sandbox.key()).unwrap();

    let revoke = |more: &[&str]| on(&sandbox, &url, &[&["store", "revoke", name], more].concat());
    assert_eq!(revoke(&[]).code, i32::from(ErrorKind::Usage.exit_code()));
    assert_eq!(revoke(&["--all", "--org", "acme"]).code, i32::from(ErrorKind::Usage.exit_code()));
    assert_eq!(revoke(&["--org", "beta"]).code, i32::from(ErrorKind::NotFound.exit_code()));
    let revoked = revoke(&["--all"]);
    assert!(revoked.code == 0 && revoked.stderr.contains("does not see its one org any more"), "{revoked:?}");
    assert_eq!(reveal("acme").code, i32::from(ErrorKind::Denied.exit_code()));
    let refused = on(&sandbox, &theirs, &["store", "grants"]);
    assert_eq!(refused.code, i32::from(ErrorKind::Denied.exit_code()), "{refused:?}");
}

#[test]
fn a_login_that_sees_a_part_is_told_that_it_does() {
    let Some((database, url)) = place() else { return };
    let sandbox = Sandbox::new();
    for org in ["acme", "beta"] {
        ok(&sandbox, &url, &["create", "token", CANARY, "--org", org]);
    }
    let (login, prefix) = (database.role(), database.name());
    let (name, theirs) = (login.user_name(), login.to_string());
    database.sql(&ok(&sandbox, &url, &["store", "roles", "--prefix", prefix]).text());
    ok(&sandbox, &url, &["store", "grant", name, "--role", "rotator", "--prefix", prefix, "--org", "acme"]);
    const PART: &str = "sees only the orgs that it was granted";
    let orgs = |outcome: &Outcome| outcome.json().as_array().unwrap().len();
    for (url, is_part) in [(&url, false), (&theirs, true)] {
        for arguments in [&["verify"][..], &["key", "status"], &["key", "rewrap"]] {
            let outcome = ok(&sandbox, url, arguments);
            assert_eq!(outcome.stderr.contains(PART), is_part, "{outcome:?}");
        }
        assert_eq!(orgs(&ok(&sandbox, url, &["key", "status", "-o", "json"])), if is_part { 1 } else { 2 });
        // Where one org is named, there is nothing more to be seen.
        let named = ok(&sandbox, url, &["verify", "--org", "acme"]);
        assert!(!named.stderr.contains(PART), "{named:?}");
    }
    // Nobody is told to destroy a root key that the orgs which they do not see are wrapped with.
    let promise = "needed for backups only";
    let rewrapped = ok(&sandbox, &theirs, &["key", "rewrap"]);
    assert!(rewrapped.stderr.contains("1 org ") && rewrapped.stderr.contains("others may still need"), "{rewrapped:?}");
    assert!(!rewrapped.stderr.contains(promise), "{rewrapped:?}");
    assert!(ok(&sandbox, &url, &["key", "rewrap"]).stderr.contains(promise));
    let copied = sandbox.path("copied.db");
    let to = format!("sqlite:{}", text(&copied));
    let copied = sandbox.run(&["store", "copy", "--from", &theirs, "--to", &to]);
    assert!(copied.code == 0 && copied.stderr.contains(PART), "{copied:?}");
    let hidden = on(&sandbox, &theirs, &["key", "status", "--org", "beta"]);
    assert!(hidden.code == 20 && hidden.stderr.contains(PART), "{hidden:?}");
    // What else it says of this server is not the matter.
    let report = on(&sandbox, &theirs, &["doctor", "-o", "json"]);
    assert!(report.text().contains("of those that this login sees"), "{report:?}");
}

#[test]
fn the_table_of_json_keys_of_grants_is_what_is_printed() {
    let page = include_str!("../../../docs/cli.md");
    for key in ["login", "role", "org"] {
        let row = format!("\n| `{key}` | ");
        let (_, table) = page.split_once("| key of `store grants` | is |").unwrap();
        assert!(table.split("\n\n").next().unwrap().contains(&row), "{key}");
    }
}
