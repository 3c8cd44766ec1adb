//! What stands between a template's braces, before the engine sees it: Go's way to name a secret becomes Jinja's, and what
//! could make a text grow is refused.
//!
//! The engine counts its steps and not its memory. `{% set a = a ~ a %}`, forty times over, would take all the memory there
//! is, so nothing that joins, repeats or keeps texts is let through. What is left can only print, and what is printed is
//! counted.

/// Why a template is refused, and on which line.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

/// The statements there are.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// The template as the engine takes it, with every line where it was.
pub(crate) fn translated(source: &str) -> Result<String, Refused> {
    let mut text = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(start) = next_opening(source, at) {
        text.push_str(&source[at..start]);
        let rest = &source[start..];
        if let Some(length) = passed_over(rest) {
            text.push_str(&rest[..length]);
            at = start + length;
        } else {
            at = start
                + tag(rest, &mut text).map_err(|(at, what)| Refused { line: line_of(source, start + at), what })?;
        }
    }
    text.push_str(&source[at..]);
    Ok(text)
}

/// The tags of a translated template alone, each on its line: names that stand in the text or in a comment are nobody's.
pub(crate) fn tags_alone(source: &str) -> String {
    let mut tags = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(start) = next_opening(source, at) {
        let rest = &source[start..];
        tags.extend(source[at..start].matches('\n'));
        let passed_over = passed_over(rest);
        // What was translated has no tag that cannot be.
        let length = passed_over.unwrap_or_else(|| tag(rest, &mut String::new()).unwrap_or(rest.len()));
        match passed_over {
            Some(length) => tags.extend(rest[..length].matches('\n')),
            None => tags.push_str(&rest[..length]),
        }
        at = start + length;
    }
    tags
}

/// The line of a place in a text, from 1.
pub(crate) fn line_of(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn next_opening(source: &str, from: usize) -> Option<usize> {
    let opens = |pair: &[u8]| matches!(pair, [b'{', b'{' | b'%' | b'#']);
    source.as_bytes()[from..].windows(2).position(opens).map(|at| from + at)
}

/// The length of the comment or raw block that begins here, if one does.
fn passed_over(text: &str) -> Option<usize> {
    match text.strip_prefix("{#") {
        Some(comment) => Some(comment.find("#}").map_or(text.len(), |end| end + 4)),
        None => raw_block(text),
    }
}

/// The length of a raw block, within which nothing has a meaning; as far as the text goes where it does not end.
fn raw_block(text: &str) -> Option<usize> {
    let body = statement(text.strip_prefix("{%")?, "raw")?;
    let mut rest = body;
    while let Some(at) = rest.find("{%") {
        rest = &rest[at + 2..];
        if let Some(after) = statement(rest, "endraw") {
            return Some(text.len() - after.len());
        }
    }
    Some(text.len())
}

/// What follows a statement of only this word.
fn statement<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let sign = ['-', '+'];
    let text = text.strip_prefix(sign).unwrap_or(text).trim_ascii_start().strip_prefix(word)?.trim_ascii_start();
    text.strip_prefix(sign).unwrap_or(text).strip_prefix("%}")
}

/// Translates the tag that begins here, and returns its length. The engine ends a tag where this does, or refuses it.
fn tag(text: &str, into: &mut String) -> Result<usize, (usize, &'static str)> {
    let (opening, is_statement) = (&text[..2], text.starts_with("{%"));
    let closing = if is_statement { "%}" } else { "}}" };
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut is_first) = (2, 0_isize, true);
    let begun = into.len();
    into.push_str(opening);
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        let length = match byte {
            b'\'' | b'"' => string(rest),
            _ if depth == 0 && rest.starts_with(closing) => {
                into.push_str(closing);
                at += closing.len();
                if let Some(indexed) = indexed(&text[2..at - 2]).filter(|_| !is_statement) {
                    into.truncate(begun);
                    into.push_str(&indexed);
                }
                return Ok(at);
            }
            b'{' | b'}' => {
                return Err((
                    at,
                    "a brace stands within a tag; write {{ secret.NAME }}, and outside of strings no other",
                ));
            }
            b'~' | b'*' => return Err((at, TOO_MUCH)),
            // A sign for the white space around a tag stands at its very beginning or end.
            b'+' if at != 2 && !rest[1..].starts_with(closing) => return Err((at, TOO_MUCH)),
            b'.' if names_secret(rest) && !into.ends_with(is_operand_end) => {
                into.push(' ');
                at += 1;
                continue;
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
                let word = &rest[..length];
                let is_known = !(is_first && is_statement) || STATEMENTS.contains(&word);
                if !is_known || (word == "recursive" && !into.ends_with('.')) {
                    return Err((
                        at,
                        "of Jinja's statements there are only for, if and raw; secrets are printed where they belong",
                    ));
                }
                is_first = false;
                length
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        depth += isize::from(matches!(byte, b'(' | b'[')) - isize::from(matches!(byte, b')' | b']'));
        into.push_str(&rest[..length]);
        at += length;
    }
    Ok(at)
}

const TOO_MUCH: &str = "texts are not joined, added or multiplied; print one behind the other";

/// The length of a string, or of all that follows where it does not end.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let quote = text.as_bytes().first().copied();
    let ends = |byte: u8| {
        let ends = !is_escaped && Some(byte) == quote;
        is_escaped = !is_escaped && byte == b'\\';
        ends
    };
    text.bytes().skip(1).position(ends).map_or(text.len(), |at| at + 2)
}

fn names_secret(text: &str) -> bool {
    text.strip_prefix(".secret")
        .is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// A dot behind one of these belongs to it.
fn is_operand_end(character: char) -> bool {
    character.is_alphanumeric() || "_)]\"'".contains(character)
}

/// Go's `{{ index .secret "NAME" }}`, by which its templates name what a dot cannot.
fn indexed(inner: &str) -> Option<String> {
    let sign = ['-', '+'];
    let (before, rest) = inner.split_at(usize::from(inner.starts_with(sign)));
    let (rest, after) = rest.split_at(rest.len() - usize::from(rest.ends_with(sign)));
    let rest = rest.trim_ascii().strip_prefix("index")?;
    let keys = rest.trim_ascii_start().strip_prefix(".secret")?;
    if rest.starts_with('.') || inner.contains('\n') {
        return None;
    }
    let mut expression = "secret".to_owned();
    let mut keys = keys.strip_prefix(|next: char| next.is_ascii_whitespace())?.trim_ascii_start();
    while keys.starts_with(['"', '\'']) {
        let (key, rest) = keys.split_at(string(keys));
        expression = format!("{expression}[{key}]");
        keys = rest.trim_ascii_start();
    }
    keys.is_empty().then(|| format!("{{{{{before} {expression} {after}}}}}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_names_a_secret_is_translated() {
        for (source, expected) in [
            ("{{ .secret.A }}", "{{  secret.A }}"),
            ("{{-.secret.A-}}", "{{- secret.A-}}"),
            ("{% if .secret %}{% endif %}", "{% if  secret %}{% endif %}"),
            ("{{ index .secret \"db/pass-word\" }}", "{{ secret[\"db/pass-word\"] }}"),
            ("{{- index  .secret 'g' 'k' -}}", "{{- secret['g']['k'] -}}"),
            ("{{ x.secret }}{{ x().secret }}{{ x[0].secret }}", "{{ x.secret }}{{ x().secret }}{{ x[0].secret }}"),
            ("{{ .secrets }}{{ .secret_a }}", "{{ .secrets }}{{ .secret_a }}"),
            ("{{ ' .secret.A }} ' }} .secret.A", "{{ ' .secret.A }} ' }} .secret.A"),
            ("{{ ' \\' .secret.A }} ' }} .secret.A", "{{ ' \\' .secret.A }} ' }} .secret.A"),
            ("{# {{ #} .secret.A", "{# {{ #} .secret.A"),
            ("{#} {{ .secret.A }} #}{{ .secret.A }}", "{#} {{ .secret.A }} #}{{  secret.A }}"),
            ("{# {{ .secret.A }}", "{# {{ .secret.A }}"),
            (
                "{%- raw -%}{{ .secret.A * 2 }}{% end %}{%- endraw %}.secret",
                "{%- raw -%}{{ .secret.A * 2 }}{% end %}{%- endraw %}.secret",
            ),
            ("{% raw %}{{ .secret.A", "{% raw %}{{ .secret.A"),
            ("a.secret { .secret.A } {{", "a.secret { .secret.A } {{"),
            ("{%+ if .secret.é %}", "{%+ if  secret.é %}"),
        ] {
            assert_eq!(translated(source).unwrap(), expected);
        }
    }

    #[test]
    fn what_could_make_a_text_grow_is_refused() {
        for source in [
            "{% set a = 'x' %}",
            "{%- set a %}{% endset %}",
            "{% macro a() %}{% endmacro %}",
            "{% with a = 'x' %}{% endwith %}",
            "{% filter upper %}{% endfilter %}",
            "{% for a in 'x' recursive %}{% endfor %}",
            "{{ 'x' ~ 'x' }}",
            "{{ 'x' + 'x' }}",
            "{{ 'x' * 1000 }}",
            "{{ 2 ** 1000 }}",
            "{{ {'a': 1} }}",
            "{{ } }}",
        ] {
            let source = format!("\n{source}");
            assert_eq!(translated(&source).unwrap_err().line, 2, "{source}");
        }
    }

    /// Texts and tags, in which strings hold what could be taken for the end of a tag.
    fn templates() -> impl Strategy<Value = String> {
        let operands = ["a", "1", "'a'", "' }} '", "\" }} ' \"", "'\\' }} '", "('a')", "(' }} ')"];
        let operand = || prop::sample::select(operands.to_vec());
        let texts =
            ["~", "}}", "' ", "\" ", "{ ", "{% raw %}{{ ~ ' }}{% endraw %}", "{%- raw -%}{% end %}~{%-endraw%}"];
        let tag = (operand(), prop::option::weighted(0.1, operand())).prop_map(|(one, other)| match other {
            None => format!("{{{{ {one} }}}}"),
            Some(other) => format!("{{{{ {one} ~ {other} }}}}"),
        });
        let part = prop_oneof![tag, prop::sample::select(texts.to_vec()).prop_map(str::to_owned)];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]

        /// A tilde is text where it is let through. Where the engine took one for its operator, it would be gone.
        #[test]
        fn the_engine_ends_tags_where_this_does(source in templates()) {
            if let Ok(text) = translated(&source)
                && let Ok(rendered) = minijinja::Environment::empty().render_str(&text, ())
            {
                prop_assert_eq!(rendered.matches('~').count(), source.matches('~').count());
            }
        }
    }
}
