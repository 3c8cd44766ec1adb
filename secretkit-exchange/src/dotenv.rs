//! `NAME=value` lines. Nothing is expanded and nothing is run.

use std::collections::HashSet;

use secretkit_core::{Error, Result, SecretName, SecretValue};
use zeroize::Zeroizing;

use crate::format::Entry;

pub(crate) fn read(text: &[u8]) -> Result<Vec<Entry>> {
    let mut reader = Reader { text, at: 0, line: 1 };
    let (mut entries, mut seen) = (Vec::new(), HashSet::new());
    while let Some((line, entry)) = reader.entry()? {
        if !seen.insert(entry.name.clone()) {
            return Err(fault(line, "this name stands above already; each may stand once"));
        }
        // What other programs would cut short or replace, and what is not written either.
        if std::str::from_utf8(entry.value.expose_secret()).is_err() || entry.value.expose_secret().contains(&0) {
            return Err(fault(line, "the value is no text without NUL; json and directory hold any bytes"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Single quotes where that is possible, because nothing has a meaning in them.
pub(crate) fn write(entries: &[Entry]) -> Result<SecretValue> {
    let longest: usize = entries.iter().map(|entry| entry.name.to_string().len() + 2 * entry.value.len() + 4).sum();
    // Never grown, so that nothing stays behind that is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(longest));
    for Entry { name, value } in entries {
        let refused = |why| Error::Undeliverable { what: name.to_string(), why };
        let key = name.key().as_str();
        if name.group().is_some() || !is_variable(key) {
            return Err(refused("its name is no variable's name, and dotenv has no other; use the format json"));
        }
        let Ok(plain) = std::str::from_utf8(value.expose_secret()) else {
            return Err(refused("it is not UTF-8, which dotenv cannot hold; use the format json"));
        };
        if plain.contains('\0') {
            return Err(refused("it holds a NUL, which no variable can; use the format json"));
        }
        text.extend_from_slice(key.as_bytes());
        text.push(b'=');
        if plain.chars().all(|character| character != '\'' && (character == '\n' || !character.is_control())) {
            text.push(b'\'');
            text.extend_from_slice(plain.as_bytes());
            text.push(b'\'');
        } else {
            text.push(b'"');
            plain.bytes().for_each(|byte| match byte {
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                b'\t' => text.extend_from_slice(b"\\t"),
                b'"' | b'\\' | b'$' | b'`' => text.extend_from_slice(&[b'\\', byte]),
                other => text.push(other),
            });
            text.push(b'"');
        }
        text.push(b'\n');
    }
    debug_assert!(text.len() <= longest);
    Ok(SecretValue::copied_from(&text))
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    /// The next entry with the line that it begins on.
    fn entry(&mut self) -> Result<Option<(usize, Entry)>> {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Ok(None),
                Some(b'\n' | b'\r') => self.end_of_line()?,
                Some(b'#') => self.skip_comment(),
                Some(_) => break,
            }
        }
        let line = self.line;
        let name = self.name()?;
        self.skip_blanks();
        let value = match self.peek() {
            Some(b'\'') => self.single_quoted()?,
            Some(b'"') => self.double_quoted()?,
            _ => return Ok(Some((line, Entry { name, value: self.bare()? }))),
        };
        self.skip_blanks();
        match self.peek() {
            Some(b'#') => self.skip_comment(),
            None | Some(b'\n' | b'\r') => {}
            Some(_) => {
                return Err(fault(
                    self.line,
                    "something follows the closing quote; put the whole value between quotes",
                ));
            }
        }
        self.end_of_line()?;
        Ok(Some((line, Entry { name, value })))
    }

    /// Up to the equals sign. `export` before it is what a shell would want.
    fn name(&mut self) -> Result<SecretName> {
        let line = self.line;
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b'\n')).filter(|at| rest[*at] == b'=');
        let end = end.ok_or_else(|| fault(line, "it has no equals sign; write NAME=value"))?;
        let before = rest[..end].trim_ascii();
        let before = match before.strip_prefix(b"export") {
            Some(name) if name.starts_with(b" ") || name.starts_with(b"\t") => name.trim_ascii(),
            _ => before,
        };
        self.at += end + 1;
        // What is wrong with it is said, and not what it is: it may be half of a value.
        let name = std::str::from_utf8(before).map_err(|_| fault(line, "the name is no text"))?;
        name.parse().map_err(|error: Error| fault(line, &format!("the name is refused: {error}")))
    }

    /// To the end of the line or to a comment, without the blanks around it.
    fn bare(&mut self) -> Result<SecretValue> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        let comment = line.windows(2).position(|pair| matches!(pair, [b' ' | b'\t', b'#']));
        let first = if line.starts_with(b"#") { Some(0) } else { comment };
        let value = line[..first.unwrap_or(line.len())].trim_ascii();
        if value.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'\\' | b'`' | b'\r' | b'\0')) {
            return Err(fault(
                self.line,
                "a value with quotes, backslashes or control characters must stand in quotes",
            ));
        }
        let value = SecretValue::copied_from(value);
        self.at += end;
        self.end_of_line()?;
        Ok(value)
    }

    fn single_quoted(&mut self) -> Result<SecretValue> {
        let line = self.line;
        let rest = &self.text[self.at + 1..];
        let end = rest.iter().position(|byte| *byte == b'\'').ok_or_else(|| fault(line, "the quote is not closed"))?;
        let value = SecretValue::copied_from(&rest[..end]);
        self.line += rest[..end].iter().filter(|byte| **byte == b'\n').count();
        self.at += end + 2;
        Ok(value)
    }

    fn double_quoted(&mut self) -> Result<SecretValue> {
        let line = self.line;
        self.at += 1;
        // An escape is never shorter than what it stands for. To wipe the length of the whole file for each value would
        // take a file of many small ones a minute.
        let mut value = Zeroizing::new(Vec::with_capacity(self.length_to_double_quote()));
        loop {
            let byte = self.peek().ok_or_else(|| fault(line, "the quote is not closed"))?;
            self.at += 1;
            match byte {
                b'"' => return Ok(SecretValue::copied_from(&value)),
                b'\\' => {
                    let escaped = self.peek().ok_or_else(|| fault(line, "the quote is not closed"))?;
                    self.at += 1;
                    value.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'"' | b'\\' | b'$' | b'`' => escaped,
                        _ => {
                            let what = "an escape is not known; there are \\n \\r \\t \\\" \\\\ \\$ and \\`";
                            return Err(fault(self.line, what));
                        }
                    });
                }
                other => {
                    self.line += usize::from(other == b'\n');
                    value.push(other);
                }
            }
        }
    }

    /// How far the closing quote is, as it is written; all that is left where there is none.
    fn length_to_double_quote(&self) -> usize {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        let closing = |byte: &u8| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        };
        rest.iter().position(closing).unwrap_or(rest.len())
    }

    fn end_of_line(&mut self) -> Result<()> {
        if self.peek() == Some(b'\r') {
            self.at += 1;
        }
        match self.peek() {
            None => Ok(()),
            Some(b'\n') => {
                (self.at, self.line) = (self.at + 1, self.line + 1);
                Ok(())
            }
            Some(_) => Err(fault(self.line, "a carriage return stands in the middle of it")),
        }
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

fn fault(line: usize, what: &str) -> Error {
    Error::InvalidInput { format: "dotenv", place: format!("line {line}"), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let pair =
            |entry: Entry| (entry.name.to_string(), String::from_utf8(entry.value.expose_secret().to_vec()).unwrap());
        read(text.as_bytes()).unwrap().into_iter().map(pair).collect()
    }

    #[test]
    fn the_dialect_is_what_the_document_says() {
        let text = "# a comment\n\nA=1\nexport B = two words # comment\nC='$HOME `id` \"\\n'\nD=\"a\\nb\\t\\\"\\$X\\\\\" # c\n\
                    E=\nF=''\nG='two\nlines'\r\nH=#\nI=a#b\nlower.case-name=x\n";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "$HOME `id` \"\\n"),
            ("D", "a\nb\t\"$X\\"),
            ("E", ""),
            ("F", ""),
            ("G", "two\nlines"),
            ("H", ""),
            ("I", "a#b"),
            ("lower.case-name", "x"),
        ];
        let found = pairs(text);
        assert_eq!(found.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), expected);
        assert_eq!(pairs("A=1"), [("A".to_owned(), "1".to_owned())], "without a line end");
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_without_its_text() {
        for (line, text) in [
            (1, "canary"),
            (2, "A=1\ncanary value\n"),
            (3, "A='x\ny'\nB='canary\n"),
            (1, "A=\"canary\n"),
            (1, "A=\"canary\\q\"\n"),
            (1, "A='canary' canary\n"),
            (1, "canary/canary/canary=1\n"),
            (1, "../canary=1\n"),
            (2, "A=canary\nA=canary\n"),
            (1, "=canary\n"),
            (1, "A=canary\"canary\n"),
            (1, "A=cana\rry\n"),
            (1, "cänary=1\n"),
        ] {
            let told = read(text.as_bytes()).unwrap_err();
            assert!(matches!(&told, Error::InvalidInput { place, .. } if *place == format!("line {line}")), "{told:?}");
            assert!(!told.to_string().contains("canary") && !told.to_string().contains("nary"), "{told}");
        }
    }

    #[test]
    fn a_value_that_no_variable_could_hold_is_refused() {
        for text in [&b"A=1\nB=\xff\n"[..], b"A=1\nB='x\0y'\n", b"A=1\nB=\"x\0y\"\n", b"A=1\nB='\n\xe4'\n"] {
            let told = read(text).unwrap_err();
            assert!(matches!(&told, Error::InvalidInput { place, .. } if place == "line 2"), "{told:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read(&text));
        }

        #[test]
        fn nothing_alike_makes_it_panic(text in "(?s)[A#='\"\\\\ \n\r$ex]{0,40}") {
            drop(read(text.as_bytes()));
        }
    }
}
