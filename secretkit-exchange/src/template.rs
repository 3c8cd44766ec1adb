//! Templates: text with secrets in it.
//!
//! The engine never sees a value. It runs once, with a mark in the place of each secret; the values are put where the
//! marks are, into memory that is wiped. So no filter can change a value, no error can quote one, and the engine's own
//! memory holds none.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use secretkit_core::{Error, Result, Scope, SecretName, SecretRequest, SecretValue, Secrets};

use crate::format::MAX_INPUT_BYTES;
use crate::tags::{Refused, line_of, tags_alone, translated};

/// Steps of the engine; a template without loops takes a few for each of its lines.
const FUEL: u64 = 1_000_000;

const DEPTH: usize = 50;

/// More than these are not fetched at once.
const MAX_NAMES: usize = 1_000;

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
    names: Vec<SecretName>,
    /// To tell lines by.
    tags: String,
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
        let source = translated(source).map_err(|Refused { line, what }| fault(line, what))?;
        let asked = Arc::new(Asking::default());
        let marked = marked(&source, &asked)?;
        let Asked { names, marks, .. } = std::mem::take(&mut *asked.asked());
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
            Ok(Self { pieces, rest: rest.to_owned(), names, tags: tags_alone(&source) })
        } else {
            Err(changed())
        }
    }

    /// The secrets that it asks for, each once, to be fetched together.
    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.names.iter()
    }

    /// The line that names a secret, from 1, where that can be told.
    #[must_use]
    pub fn line_of(&self, name: &SecretName) -> Option<usize> {
        line_that_names(&self.tags, name)
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
        for name in &self.names {
            let missing = || fault(self.line_of(name).unwrap_or(0), &format!("there is no secret {name}"));
            let value = value(name).ok_or_else(missing)?;
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
            text.push_str(&format!("<SECRET:{}>", self.names[*number]));
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
        let known = asked.fault().take().map(|(what, _)| what);
        return Err(fault(error.line().unwrap_or(0), words(&error, known.as_deref())));
    }
    if let Some((what, name)) = asked.fault().take() {
        let tags = tags_alone(source);
        let line = if what == ALL { line_that_names_all(&tags) } else { None };
        return Err(fault(line.or_else(|| line_that_names(&tags, &name?)).unwrap_or(0), &what));
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

const ALL: &str = "it prints all secrets at once; name the one that is meant, as in secret.NAME";

/// A mark that did not come out of the engine as it went in.
fn changed() -> Error {
    fault(0, "it changes a secret; a secret is printed as it is")
}

/// Line 0 is one that cannot be told.
fn fault(line: usize, what: &str) -> Error {
    Error::InvalidTemplate { line, what: what.to_owned() }
}

/// The first line on which a secret is named in one of the ways that people write.
fn line_that_names(tags: &str, name: &SecretName) -> Option<usize> {
    let key = name.key();
    let mut forms = vec![format!("[\"{name}\"]"), format!("['{name}']")];
    forms.push(name.group().map_or_else(|| format!("secret.{key}"), |group| format!("secret.{group}.{key}")));
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    let at = |form: &String| tags.match_indices(form.as_str()).find(|(at, _)| ends(&tags[at + form.len()..]));
    forms.iter().filter_map(at).map(|(at, _)| line_of(tags, at)).min()
}

/// The first line on which nothing of `secret` is named.
fn line_that_names_all(tags: &str) -> Option<usize> {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || ".[_".contains(next));
    let mut words = tags.match_indices("secret");
    words.find(|(at, word)| ends(&tags[at + word.len()..])).map(|(at, _)| line_of(tags, at))
}

/// What was asked for so far.
#[derive(Debug, Default)]
struct Asking {
    asked: Mutex<Asked>,
    /// What was wrong first, and with which secret.
    fault: Mutex<Option<(String, Option<SecretName>)>>,
}

#[derive(Debug, Default)]
struct Asked {
    names: Vec<SecretName>,
    numbers: HashMap<SecretName, usize>,
    /// For each mark that was given out, which of the names it stands for.
    marks: Vec<usize>,
}

impl Asking {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> MutexGuard<'_, Option<(String, Option<SecretName>)>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, what: &str, name: Option<SecretName>) {
        self.fault().get_or_insert_with(|| (what.to_owned(), name));
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
        Secret::new(&self.0, key.as_str()?).map(Value::from_object)
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No error of its own: where the engine makes a text of it first, it would panic.
        self.0.refuse(ALL, None);
        Ok(())
    }
}

/// `secret.NAME`, which is printed, or `secret.GROUP`, of which a name follows.
#[derive(Debug)]
struct Secret {
    asked: Arc<Asking>,
    name: SecretName,
    /// Whether it was printed, or a name followed. What else the engine does with it, it does not say.
    served: AtomicBool,
}

impl Secret {
    /// `None` is undefined to the engine, which then tells the line. Later would be too late: an object that cannot be
    /// printed makes it panic.
    fn new(asked: &Arc<Asking>, path: &str) -> Option<Self> {
        match path.parse() {
            Ok(name) => Some(Self { asked: Arc::clone(asked), name, served: AtomicBool::new(false) }),
            Err(error) => {
                asked.refuse(&format!("it names a secret in a way that no name is: {error}"), None);
                None
            }
        }
    }
}

/// One that was compared, say, and not printed: the engine saw a mark and no value, so what it made of it is wrong.
impl Drop for Secret {
    fn drop(&mut self) {
        if !self.served.load(Relaxed) {
            let what = "it names a secret and does not print it; a secret is printed as it is, and nothing else";
            self.asked.refuse(what, Some(self.name.clone()));
        }
    }
}

impl Object for Secret {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = format!("{}/{}", self.name, key.as_str()?);
        self.served.store(true, Relaxed);
        Self::new(&self.asked, &path).map(Value::from_object)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.served.store(true, Relaxed);
        let mut asked = self.asked.asked();
        let Asked { names, numbers, marks } = &mut *asked;
        let number = match numbers.get(&self.name) {
            Some(number) => *number,
            None if names.len() == MAX_NAMES => {
                self.asked.refuse("it names more than 1,000 secrets", Some(self.name.clone()));
                return Ok(());
            }
            None => {
                names.push(self.name.clone());
                numbers.insert(self.name.clone(), names.len() - 1);
                names.len() - 1
            }
        };
        marks.push(number);
        write!(f, "{BEGIN}{}{END}", marks.len() - 1)
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
            ("{{ index .secret \"db/pass-word\" }}", "<SECRET:db/pass-word>"),
            ("{% for n in ['a', 'b'] %}{{ secret[n] }},{% endfor %}", "<SECRET:a>,<SECRET:b>,"),
            ("{% if true %}{{ secret.A if true else secret.B }}{% endif %}", "<SECRET:A>"),
            ("{# a comment #}a.secret.b }} {{ '{{' }}\n\n", "a.secret.b }} {{\n\n"),
            ("{# {{ #} .secret.b {{ '.secret' }}", " .secret.b .secret"),
            ("{% raw %}{{ .secret.A }} {% set %}{% endraw %}", "{{ .secret.A }} {% set %}"),
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
            (2, "\n{% set canary = 'canary' %}"),
            (3, "\n\n{{ 'canary' ~ 'canary' }}"),
            (2, "{#\n#}{{ secret.canary == 'x' }}"),
            (2, "\n{% if secret.canary %}x{% endif %}"),
        ] {
            let told = Template::parse(source).unwrap_err();
            assert!(matches!(told, Error::InvalidTemplate { line: found, .. } if found == line), "{source}: {told:?}");
            assert!(!format!("{told:?}").to_lowercase().contains("canary"), "{told:?}");
        }
        for source in [
            "{{ secret.canary == secret.canary }}",
            "{{ secret.canary < 'x' }}",
            "{{ not secret.canary }}",
            "{{ (secret.canary ~ '')[0:2] }}",
            "{{ secret.canary[0:2] }}",
            "{{ secret.canary * 2 }}",
            "{{ secret.canary + 'x' }}",
            "{{ secret.canary in 'x' }}",
            "{{ 'x' in secret.canary }}",
            "{{ 'x' ~ secret.a.canary.c }}",
            "{{ 'x' ~ secret }}",
            "{% autoescape true %}{{ secret.a.canary.c }}{% endautoescape %}",
            "{% autoescape true %}{{ secret }}{% endautoescape %}",
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
        // Each of these would take more memory than there is.
        for (first, growth, count) in [
            ("{% set a = 'x' %}", "{% set a = a ~ a %}", 60),
            ("{% set a %}x{% endset %}", "{% set a %}{{ a }}{{ a }}{% endset %}", 60),
            ("{{ ", "'x' * 90000000 ~ ", 10_000),
        ] {
            let told = Template::parse(&(first.to_owned() + &growth.repeat(count)));
            assert!(matches!(told, Err(Error::InvalidTemplate { line: 1, .. })), "{growth}");
        }
        let many = |count: usize| (0..count).map(|number| format!("{{{{ secret.k{number} }}}}\n")).collect::<String>();
        assert_eq!(Template::parse(&many(1_000)).unwrap().names().count(), 1_000);
        assert!(matches!(Template::parse(&many(1_001)), Err(Error::InvalidTemplate { line: 1_001, .. })));
        assert!(Template::parse(&("{{ ".to_owned() + &"(".repeat(100_000))).is_err());
        assert!(Template::parse(&"x".repeat(MAX_INPUT_BYTES + 1)).is_err());
    }

    #[test]
    fn a_missing_secret_is_told_with_its_line() {
        let text = "a\n{{ secret.db.password_2 }}\n{{ secret.db.password }} {{ secret['x'] }}";
        // A name that only stands in the text, in a comment or in a raw block is not where it is asked for.
        let before =
            "secret.db.password secret['x'] {# secret.db.password\n #}{% raw %}{{ secret['x'] }}\n{% endraw %}";
        for (text, above) in [(text.to_owned(), 0), (format!("{before}{text}"), 2)] {
            let template = Template::parse(&text).unwrap();
            let lines: Vec<_> = template.names().map(|name| (name.to_string(), template.line_of(name))).collect();
            let expected = [("db/password_2", 2), ("db/password", 3), ("x", 3)];
            assert_eq!(lines, expected.map(|(name, line)| (name.to_owned(), Some(line + above))));
        }
        let template = Template::parse(text).unwrap();
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
