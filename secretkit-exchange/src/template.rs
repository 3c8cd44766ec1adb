//! Templates: text with secrets in it.
//!
//! The engine never sees a value. It runs once, with a mark in the place of each secret; the values are put where the
//! marks are, into memory that is wiped. So no filter can change a value, no error can quote one, and the engine's own
//! memory holds none.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use secretkit_core::{Error, Result, Scope, SecretName, SecretRequest, SecretValue, Secrets};

use crate::format::MAX_INPUT_BYTES;

/// Steps of the engine; a template without loops takes a few for each of its lines.
const FUEL: u64 = 1_000_000;

const DEPTH: usize = 50;

/// More than this is not rendered.
const MAX_OUTPUT_BYTES: usize = 16 << 20;

/// Two characters that Unicode keeps for what is internal to a program. A template cannot hold them.
const BEGIN: char = '\u{fdd0}';
const END: char = '\u{fdd1}';

/// A template that was understood, with the secrets that it asks for.
///
/// `{{ secret.NAME }}` and Optimus' `{{ .secret.NAME }}` print a secret; `{{ secret["group/name"] }}` and
/// `{{ secret.group.name }}` one of a group. The rest is Jinja without filters, functions and tests.
///
/// ```
/// use secretkit_core::SecretValue;
/// use secretkit_exchange::Template;
///
/// let template = Template::parse("password = {{ secret.db.password }}\n")?;
/// assert_eq!(template.names().next().unwrap().to_string(), "db/password");
/// let value = SecretValue::copied_from(b"hunter2");
/// let text = template.render(|_| Some(&value))?;
/// assert_eq!(text.expose_secret(), b"password = hunter2\n");
/// assert_eq!(template.dry_run(), "password = <SECRET:db/password>\n");
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    /// What stands before each secret, which secret, and in the end what stands behind the last.
    pieces: Vec<(String, usize)>,
    rest: String,
    names: Vec<Name>,
}

#[derive(Clone, Debug)]
struct Name {
    name: SecretName,
    line: Option<usize>,
}

impl Template {
    /// Understands a template.
    ///
    /// # Errors
    /// [`Error::InvalidTemplate`] with the line, [`Error::TooLarge`].
    pub fn parse(source: &str) -> Result<Self> {
        if source.len() > MAX_INPUT_BYTES {
            return Err(Error::TooLarge { length: source.len(), limit: MAX_INPUT_BYTES });
        }
        if let Some(at) = source.find([BEGIN, END]) {
            return Err(fault(line_of(source, at), "it holds a character that no text has (U+FDD0 or U+FDD1)"));
        }
        let source = without_dots(source);
        let asked = Arc::new(Asking::default());
        let marked = marked(&source, &asked)?;
        let Asked { names, marks } = std::mem::take(&mut *asked.asked());
        let names: Vec<_> =
            names.into_iter().map(|name| Name { line: line_that_names(&source, &name), name }).collect();
        let (mut pieces, mut rest, mut unseen) = (Vec::new(), &*marked, vec![true; marks.len()]);
        while let Some((text, after)) = rest.split_once(BEGIN) {
            let mark = after.split_once(END).and_then(|(mark, after)| Some((mark.parse::<usize>().ok()?, after)));
            let (mark, after) = mark.filter(|(mark, _)| *mark < marks.len()).ok_or_else(changed)?;
            unseen[mark] = false;
            pieces.push((text.to_owned(), marks[mark]));
            rest = after;
        }
        // A mark that went in and did not come out was compared with something, or cut off.
        let whole = pieces.iter().all(|(text, _)| !text.contains(END)) && !rest.contains(END);
        if whole && !unseen.contains(&true) {
            Ok(Self { pieces, rest: rest.to_owned(), names })
        } else {
            Err(changed())
        }
    }

    /// The secrets that it asks for, each once, to be fetched together.
    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.names.iter().map(|asked| &asked.name)
    }

    /// The line that names a secret, from 1, where that can be told.
    #[must_use]
    pub fn line_of(&self, name: &SecretName) -> Option<usize> {
        self.names.iter().find(|asked| asked.name == *name)?.line
    }

    /// The text, with what a task at this scope would get; all of it from one snapshot.
    ///
    /// # Errors
    /// [`Error::SeveralNotFound`] with every secret that is missing, and those of [`Secrets::resolve`] and
    /// [`render`](Self::render).
    pub fn fill(&self, secrets: &Secrets, scope: &Scope) -> Result<SecretValue> {
        let requests: Vec<_> = self.names().cloned().map(SecretRequest::new).collect();
        let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
        for (name, resolved) in self.names().zip(secrets.resolve_many(scope, &requests)?) {
            match resolved {
                Ok(resolved) => drop(values.insert(name, resolved.value)),
                Err(Error::NotFound { name, searched }) => missing.push((name, searched)),
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() { self.render(|name| values.get(name)) } else { Err(Error::SeveralNotFound { missing }) }
    }

    /// The text, with these values.
    ///
    /// # Errors
    /// [`Error::InvalidTemplate`] for a secret that is not given, [`Error::Undeliverable`] for a value that is no UTF-8,
    /// [`Error::TooLarge`].
    pub fn render<'v>(&self, value: impl Fn(&SecretName) -> Option<&'v SecretValue>) -> Result<SecretValue> {
        let mut values = Vec::with_capacity(self.names.len());
        for Name { name, line } in &self.names {
            let value = value(name).ok_or_else(|| fault(line.unwrap_or(0), &format!("there is no secret {name}")))?;
            if std::str::from_utf8(value.expose_secret()).is_err() {
                let why = "it is not UTF-8, and a template renders text; deliver it as a file";
                return Err(Error::Undeliverable { what: name.to_string(), why });
            }
            values.push(value);
        }
        let length = self.rest.len()
            + self.pieces.iter().map(|(text, number)| text.len() + values[*number].len()).sum::<usize>();
        if length > MAX_OUTPUT_BYTES {
            return Err(Error::TooLarge { length, limit: MAX_OUTPUT_BYTES });
        }
        Ok(SecretValue::init_with(length, |text| {
            let mut at = 0;
            let mut put = |bytes: &[u8]| {
                text[at..at + bytes.len()].copy_from_slice(bytes);
                at += bytes.len();
            };
            for (before, number) in &self.pieces {
                put(before.as_bytes());
                put(values[*number].expose_secret());
            }
            put(self.rest.as_bytes());
        }))
    }

    /// The text with `<SECRET:NAME>` in the place of each value.
    #[must_use]
    pub fn dry_run(&self) -> String {
        let mut text = String::new();
        for (before, number) in &self.pieces {
            text.push_str(before);
            text.push_str(&format!("<SECRET:{}>", self.names[*number].name));
        }
        text + &self.rest
    }
}

/// What the engine makes of the template, with marks for the secrets that it asks for.
fn marked(source: &str, asked: &Arc<Asking>) -> Result<String> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        engine.set_syntax(syntax);
    }
    let mut output = Bounded(Vec::new());
    let outcome = engine.template_from_str(source).and_then(|template| {
        template.render_captured_to(Value::from_object(Root(Arc::clone(asked))), &mut output).map(drop)
    });
    if let Err(error) = outcome {
        return Err(fault(error.line().unwrap_or(0), words(&error, asked.fault().as_deref())));
    }
    if let Some(what) = asked.fault().as_deref() {
        return Err(fault(0, what));
    }
    String::from_utf8(output.0).map_err(|_| changed())
}

/// Words of ours: the engine's own quote the template, in which somebody may have written a value.
fn words<'a>(error: &minijinja::Error, known: Option<&'a str>) -> &'a str {
    match error.kind() {
        _ if known.is_some() => known.unwrap_or_default(),
        ErrorKind::SyntaxError | ErrorKind::BadEscape | ErrorKind::InvalidDelimiter => {
            "it cannot be understood; write {{ secret.NAME }}, and for braces that are meant as such {{ \"{{\" }}"
        }
        ErrorKind::UndefinedError => "it names something that there is not; there is only secret.NAME",
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod => {
            "filters, functions and tests are not available; a secret is printed as it is"
        }
        ErrorKind::OutOfFuel => "it takes too long; loops must be short",
        ErrorKind::WriteFailure => "what it renders is too long",
        _ => "it does something that templates of secrets cannot do; a secret is printed as it is",
    }
}

/// A mark that did not come out of the engine as it went in.
fn changed() -> Error {
    fault(0, "it changes a secret; a secret is printed as it is")
}

/// Line 0 is one that cannot be told.
fn fault(line: usize, what: &str) -> Error {
    Error::InvalidTemplate { line, what: what.to_owned() }
}

fn line_of(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The first line on which a secret is named in one of the ways that people write.
fn line_that_names(source: &str, name: &SecretName) -> Option<usize> {
    let key = name.key();
    let mut forms = vec![format!("[\"{name}\"]"), format!("['{name}']")];
    forms.push(name.group().map_or_else(|| format!("secret.{key}"), |group| format!("secret.{group}.{key}")));
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    let at = |form: &String| source.match_indices(form.as_str()).find(|(at, _)| ends(&source[at + form.len()..]));
    forms.iter().filter_map(at).map(|(at, _)| line_of(source, at)).min()
}

/// Go's `.secret` is Jinja's `secret`: within braces, a dot that follows nothing becomes a blank, so that every line and
/// column stays.
fn without_dots(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let (mut rest, mut within) = (source, false);
    while let Some(next) = rest.chars().next() {
        if within
            && rest.starts_with(".secret")
            && !text.ends_with(|before: char| before.is_alphanumeric() || "_)]\"'".contains(before))
        {
            text.push(' ');
            rest = &rest[1..];
            continue;
        }
        if rest.starts_with("{{") || rest.starts_with("{%") {
            within = true;
        } else if rest.starts_with("}}") || rest.starts_with("%}") {
            within = false;
        }
        text.push(next);
        rest = &rest[next.len_utf8()..];
    }
    text
}

/// What was asked for so far.
#[derive(Debug, Default)]
struct Asking {
    asked: Mutex<Asked>,
    fault: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Asked {
    names: Vec<SecretName>,
    /// For each mark that was given out, which of the names it stands for.
    marks: Vec<usize>,
}

impl Asking {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> MutexGuard<'_, Option<String>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, what: &str) {
        self.fault().get_or_insert_with(|| what.to_owned());
    }
}

/// What a template sees: `secret`, and nothing else.
#[derive(Debug)]
struct Root(Arc<Asking>);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "secret").then(|| Value::from_object(Every(Arc::clone(&self.0))))
    }
}

/// `secret`.
#[derive(Debug)]
struct Every(Arc<Asking>);

impl Object for Every {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from_object(Secret::new(&self.0, key.as_str()?.to_owned())))
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.refuse("it prints all secrets at once; name the one that is meant, as in secret.NAME");
        Err(fmt::Error)
    }
}

/// `secret.NAME`, which is printed, or `secret.GROUP`, of which a name follows.
#[derive(Debug)]
struct Secret {
    asked: Arc<Asking>,
    path: String,
    /// Whether it was printed, or a name followed. What else the engine does with it, it does not say.
    served: AtomicBool,
}

impl Secret {
    fn new(asked: &Arc<Asking>, path: String) -> Self {
        Self { asked: Arc::clone(asked), path, served: AtomicBool::new(false) }
    }
}

/// One that was compared, say, and not printed: the engine saw a mark and no value, so what it made of it is wrong.
impl Drop for Secret {
    fn drop(&mut self) {
        if !self.served.load(Relaxed) {
            self.asked
                .refuse("it names a secret and does not print it; a secret is printed as it is, and nothing else");
        }
    }
}

impl Object for Secret {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = format!("{}/{}", self.path, key.as_str()?);
        self.served.store(true, Relaxed);
        Some(Value::from_object(Self::new(&self.asked, path)))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: SecretName = match self.path.parse() {
            Ok(name) => name,
            Err(error) => {
                self.asked.refuse(&format!("it names a secret in a way that no name is: {error}"));
                return Err(fmt::Error);
            }
        };
        self.served.store(true, Relaxed);
        let mut asked = self.asked.asked();
        let number = asked.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            asked.names.push(name);
            asked.names.len() - 1
        });
        asked.marks.push(number);
        write!(f, "{BEGIN}{}{END}", asked.marks.len() - 1)
    }
}

/// Takes no more than a template may render.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dry(source: &str) -> String {
        Template::parse(source).unwrap().dry_run()
    }

    #[test]
    fn both_syntaxes_name_secrets() {
        for (source, rendered) in [
            ("{{ secret.A }}", "<SECRET:A>"),
            ("{{.secret.A}}", "<SECRET:A>"),
            ("{{ .secret.A }}", "<SECRET:A>"),
            ("{{- .secret.A -}} x", "<SECRET:A>x"),
            ("{{secret.A}}{{ secret.B }}{{secret.A}}", "<SECRET:A><SECRET:B><SECRET:A>"),
            ("{{ secret[\"db/password\"] }}", "<SECRET:db/password>"),
            ("{{ .secret['tls.key'] }}", "<SECRET:tls.key>"),
            ("{{ secret.db.password }}", "<SECRET:db/password>"),
            ("{% set p = .secret.A %}{{ p }}", "<SECRET:A>"),
            ("{% for n in ['a', 'b'] %}{{ secret[n] }},{% endfor %}", "<SECRET:a>,<SECRET:b>,"),
            ("{{ 'x' ~ secret.A ~ 'y' }}", "x<SECRET:A>y"),
            ("{# a comment #}a.secret.b }} {{ '{{' }}\n\n", "a.secret.b }} {{\n\n"),
            ("<b>&amp;\"{{ secret.A }}\"", "<b>&amp;\"<SECRET:A>\""),
            ("", ""),
        ] {
            assert_eq!(dry(source), rendered, "{source}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_without_the_template() {
        for (line, source) in [
            (2, "a\n{{ canary"),
            (3, "a\n\n{{ canary }}"),
            (1, "{{ env.CANARY }}"),
            (2, "\n{{ secret.canary | upper }}"),
            (1, "{{ canary() }}"),
            (1, "{% include 'canary' %}"),
            (1, "{% canary %}"),
            (1, "{{ secret }}"),
            (1, "{{ secret['../canary'] }}"),
            (1, "{{ secret['a/canary/c'] }}"),
            (1, "{% for canary in secret %}{% endfor %}"),
        ] {
            let told = Template::parse(source).unwrap_err();
            assert!(matches!(told, Error::InvalidTemplate { line: found, .. } if found == line), "{source}: {told:?}");
            assert!(!format!("{told:?}").to_lowercase().contains("canary"), "{told:?}");
        }
        for source in [
            "{% if secret.canary %}x{% endif %}",
            "{{ secret.canary == 'x' }}",
            "{{ secret.canary == secret.canary }}",
            "{{ secret.canary < 'x' }}",
            "{{ not secret.canary }}",
            "{{ (secret.canary ~ '')[0:2] }}",
            "{{ secret.canary[0:2] }}",
            "{{ secret.canary * 2 }}",
            "{{ secret.canary + 'x' }}",
            "{{ secret.canary in 'x' }}",
            "{{ 'x' in secret.canary }}",
            "\u{fdd0}0\u{fdd1}",
            "{{ '\u{fdd0}' }}",
        ] {
            let told = Template::parse(source);
            assert!(matches!(told, Err(Error::InvalidTemplate { .. })), "{source}: {told:?}");
            assert!(!format!("{told:?}").contains("canary"), "{told:?}");
        }
    }

    #[test]
    fn nothing_goes_on_for_ever() {
        let loops = "{% for a in 'xxxxxxxxxx' %}".repeat(8) + "x" + &"{% endfor %}".repeat(8);
        assert!(matches!(Template::parse(&loops), Err(Error::InvalidTemplate { .. })));
        assert!(Template::parse(&"{% if true %}".repeat(5_000)).is_err());
        assert!(Template::parse(&("{{ ".to_owned() + &"(".repeat(100_000))).is_err());
        assert!(Template::parse(&"x".repeat(MAX_INPUT_BYTES + 1)).is_err());
    }

    #[test]
    fn a_missing_secret_is_told_with_its_line() {
        let template =
            Template::parse("a\n{{ secret.db.password_2 }}\n{{ secret.db.password }} {{ secret['x'] }}").unwrap();
        let lines: Vec<_> = template.names().map(|name| (name.to_string(), template.line_of(name))).collect();
        let expected = [("db/password_2", 2), ("db/password", 3), ("x", 3)];
        assert_eq!(lines, expected.map(|(name, line)| (name.to_owned(), Some(line))));
        assert!(matches!(template.render(|_| None), Err(Error::InvalidTemplate { line: 2, .. })));
        let binary = SecretValue::copied_from(b"\xff");
        assert!(matches!(template.render(|_| Some(&binary)), Err(Error::Undeliverable { .. })));
    }

    proptest! {
        #[test]
        fn a_value_arrives_exactly(before in "(?s)[^{}%#]{0,10}|\r\n", value in "(?s).{0,40}", after in "(?s)[^{}%#]{0,10}|\r\n") {
            prop_assume!(![&before, &after].iter().any(|text| text.contains([BEGIN, END])));
            let template = Template::parse(&format!("{before}{{{{ .secret.A }}}}{after}")).unwrap();
            let text = template.render(|_| Some(Box::leak(Box::new(SecretValue::copied_from(value.as_bytes()))))).unwrap();
            let expected = format!("{before}{value}{after}");
            prop_assert_eq!(text.expose_secret(), expected.as_bytes());
        }

        #[test]
        fn nothing_makes_it_panic(source in "(?s)[{}%. a'\"|\\[\\]secret\n-]{0,60}") {
            drop(Template::parse(&source));
        }
    }
}
