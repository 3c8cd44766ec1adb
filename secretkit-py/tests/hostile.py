"""Texts that are no name: the table of the Rust tests in Python's words, and what only Python can write."""

NAMES = [
    # Nothing, and what looks like nothing.
    *["", " ", "\t", "\n", "\u00a0", "\u200b", "\ufeff"],
    # Blanks that trimming would forgive.
    *[" a", "a ", "a\n", "\na", "a\r\n", "a\tb", "a b", "a\u00a0b"],
    # Paths.
    *[".", "..", "...", "a..", "a..b", ".hidden", "../a", "../../etc/passwd", "/etc/passwd", "a/../b", "a//b"],
    *["a/b/c", "/a", "a/", "\\", "a\\b", "..\\a", "C:\\a", "file:///etc/passwd", "~", "~root"],
    # Options and shells.
    *["-", "-rf", "--help", "$(id)", "`id`", "a;id", "a|b", "a&b", "a>b", "$HOME", "!a", "#a", "a=b", "*", "?", "[a]"],
    *["{a,b}", "'a'", '"a"'],
    # Databases.
    *["'", "a' OR '1'='1", "'; DROP TABLE secrets; --", "a%", "%", "a\0", "\0", "a\0b"],
    # Addresses and templates within a name.
    *["a:b", "acme:db", "acme/*/production:db", "@a", "a,b", "{{a}}", "%s%n", "%2e%2e%2f", "a+b"],
    # Control bytes and terminals.
    *["\x1b[2J", "a\x1b]0;x\x07", "a\x7f", "a\bb", "a\x85b", "a\u2028b"],
    # Unicode that folds, joins, reorders or looks alike.
    *["é", "e\u0301", "ﬁ", "ａ", "\u212a", "ı", "ß", "\u0430dmin", "a\u202eb", "a\u200db", "\U0001f511", "\ufffd"],
    # Not Unicode at all, which only Python strings can be.
    *["\ud800", "a\udcff", "\udcffa"],
    # Too long.
    *["a" * 129, "a" * (1 << 20), "é" * 64, "../" * 64],
]
assert len(NAMES) >= 60
