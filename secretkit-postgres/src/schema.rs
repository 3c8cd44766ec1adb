//! The name of the schema that a store lives in.

use secretkit_core::{Error, Result};

/// The name of a schema, which stands in statements as a quoted identifier and nowhere else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SchemaName(String);

impl SchemaName {
    /// Any name that PostgreSQL takes, but for those of its own.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub(crate) fn parse(name: Option<&str>) -> Result<Self> {
        let Some(name) = name else { return Ok(Self::default()) };
        // The server cuts longer ones off, and two of them could become one.
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return Err(Error::Unsupported("a schema's name has 1 to 63 bytes".to_owned()));
        }
        if name.starts_with("pg_") || name == "information_schema" {
            return Err(Error::Unsupported("this schema belongs to PostgreSQL itself; name another one".to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As an identifier.
    pub(crate) fn quoted(&self) -> String {
        quoted(&self.0)
    }

    /// As a text, whatever the server thinks of backslashes.
    pub(crate) fn literal(&self) -> String {
        literal(&self.0)
    }

    /// What quotes a text, and is not in the name.
    fn body(&self) -> String {
        let mut quote = "$body$".to_owned();
        while self.0.contains(&quote) {
            quote.insert(1, '_');
        }
        quote
    }

    /// A statement in which `@schema@` stands for the identifier, `@name@` for the text, and `@body@` for what begins and ends
    /// the body of a function in which one of them stands.
    pub(crate) fn fill(&self, statement: &str) -> String {
        self.fill_with(statement, &[])
    }

    /// The same with more marks, each with what stands in its place.
    pub(crate) fn fill_with(&self, statement: &str, more: &[(&str, String)]) -> String {
        let marks = [("@schema@", self.quoted()), ("@name@", self.literal()), ("@body@", self.body())];
        let mut filled = String::with_capacity(statement.len() + 256);
        let mut rest = statement;
        // In one pass: a schema may itself be called `@name@`.
        while let Some(place) = rest.find('@') {
            let (before, after) = rest.split_at(place);
            filled.push_str(before);
            let mark = marks.iter().chain(more).find(|(mark, _)| after.starts_with(mark));
            let (length, replacement) = mark.map_or((1, "@"), |(mark, replacement)| (mark.len(), replacement.as_str()));
            filled.push_str(replacement);
            rest = after.get(length..).unwrap_or_default();
        }
        filled.push_str(rest);
        filled
    }
}

/// A name as an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as a text, whatever the server thinks of backslashes.
pub(crate) fn literal(name: &str) -> String {
    format!("E'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}

impl Default for SchemaName {
    fn default() -> Self {
        Self("secretkit".to_owned())
    }
}

/// The first function of a statement that is called without its schema, if there is one.
#[cfg(test)]
pub(crate) fn unqualified(statement: &str) -> Option<&str> {
    // What stands before a parenthesis and is no function. Several arrays are unnested by syntax.
    const WORDS: &[&str] = &[
        "and",
        "any",
        "array",
        "as",
        "by",
        "coalesce",
        "conflict",
        "exists",
        "extract",
        "filter",
        "from",
        "in",
        "join",
        "lateral",
        "materialized",
        "not",
        "on",
        "or",
        "select",
        "then",
        "values",
        "when",
        "where",
    ];
    let before = |end: usize| {
        let text = statement.get(..end).unwrap_or_default().trim_end();
        let letters = text.rfind(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
        text.split_at(letters.map_or(0, |place| place + 1))
    };
    statement.match_indices('(').find_map(|(place, _)| {
        let (rest, word) = before(place);
        let is_named = rest.ends_with('.') || before(rest.len()).1.eq_ignore_ascii_case("as");
        let is_syntax = word == "unnest" && statement.get(place..)?.split(')').next()?.contains(',');
        let is_word = word.is_empty() || WORDS.contains(&word.to_ascii_lowercase().as_str());
        (!is_named && !is_syntax && !is_word).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_without_its_schema_is_found() {
        for fine in [
            "SELECT pg_catalog.length(id) FROM \"s\".f($1) AS x (a, b) WHERE a IN (1, 2) AND (b > 0) AND c = ANY ($1)",
            "SELECT coalesce(a, 0) FROM unnest($1, $2) AS w (a, b) CROSS JOIN LATERAL (SELECT 1) AS s",
        ] {
            assert_eq!(unqualified(fine), None, "{fine}");
        }
        for (bad, function) in [
            ("SELECT length(id)", "length"),
            ("SELECT array_agg (id)", "array_agg"),
            ("SELECT a FROM unnest($1) AS w (a)", "unnest"),
            ("SELECT 1 WHERE pg_catalog.length(substr(id, 1)) = 2", "substr"),
        ] {
            assert_eq!(unqualified(bad), Some(function));
        }
    }

    #[test]
    fn a_schema_is_quoted_whatever_it_is_called() {
        for name in ["secretkit", "Team \"A\"; DROP SCHEMA public", "o'clock\\", "@name@", "ä"] {
            let schema = SchemaName::parse(Some(name)).unwrap();
            let filled = schema.fill("SELECT @schema@.f(@name@) @");
            assert_eq!(filled, format!("SELECT {}.f({}) @", schema.quoted(), schema.literal()));
        }
        let schema = SchemaName::parse(Some("a\"b'c\\")).unwrap();
        assert_eq!((schema.quoted().as_str(), schema.literal().as_str()), ("\"a\"\"b'c\\\"", "E'a\"b''c\\\\'"));
        for name in ["a", "$$", "$body$", "$__body$ $body$ $_body$"] {
            let schema = SchemaName::parse(Some(name)).unwrap();
            let filled = schema.fill("@body@ @schema@ @name@ @body@");
            let (quote, _) = filled.split_once(' ').unwrap();
            assert!(quote.starts_with('$') && quote.ends_with("body$"), "{filled}");
            assert_eq!(filled.matches(quote).count(), 2, "{filled}");
        }
        for name in ["", "pg_catalog", "information_schema", &"x".repeat(64)] {
            SchemaName::parse(Some(name)).unwrap_err();
        }
    }
}
