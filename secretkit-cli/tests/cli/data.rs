//! The command lines of `tests/cmd/`, each file in a folder of its own.

#[test]
fn every_command_line_prints_what_its_file_says() {
    let cases = trycmd::TestCases::new();
    cases.default_bin_path(env!("CARGO_BIN_EXE_secretkit"));
    let variables = [
        ("HOME", "/nonexistent"),
        ("SECRETKIT_STORE", "sqlite:secrets.db"),
        ("SECRETKIT_KEY", "env:TEST_ROOT_KEY"),
        ("TEST_ROOT_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("SECRETKIT_ACTOR", "tester@example"),
        // Whatever the developer's own shell says; empty is not set.
        ("SECRETKIT_KEY_FILE", ""),
        ("SECRETKIT_ORG", ""),
        ("SECRETKIT_PROJECT", ""),
        ("SECRETKIT_DOMAIN", ""),
        ("SECRETKIT_OUTPUT", ""),
        ("SECRETKIT_YES", ""),
        ("SECRETKIT_QUIET", ""),
    ];
    for (name, value) in variables {
        cases.env(name, value);
    }
    cases.case("tests/cmd/*.trycmd").case("tests/cmd/*.toml");
    cases.run();
}
