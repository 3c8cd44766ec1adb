//! What a task asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Fault, Result};
use crate::id::SecretName;
use crate::part::deserialize_from_text;
use crate::record::Revision;
use crate::scope::Scope;

/// What a task asks for: a secret, and how to deliver it. In Python: `Secret(...)`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SecretRequest {
    /// The secret's name, looked for along the chain of the task's scope.
    pub name: SecretName,
    /// Only at this scope, with no fallback. It must be one that includes the task's scope.
    pub pinned: Option<Scope>,
    /// This value of the first existing secret; `None` is the current one.
    pub revision: Option<Revision>,
    /// The environment variable to set: to the value, or to the path where the value is delivered as a file.
    pub variable: Option<VariableName>,
    /// How to deliver it.
    pub mount: Mount,
}

/// How a secret is delivered, with flytekit's meaning of the three.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a host must deliver every one")]
pub enum Mount {
    /// By `get`, and in the variable if one is named.
    #[default]
    Any,
    /// In an environment variable; one is made from the name if none is named.
    Variable,
    /// As a file.
    File,
}

impl SecretRequest {
    /// Asks for the current value of `name`, to be read by `get`.
    #[must_use]
    pub const fn new(name: SecretName) -> Self {
        Self { name, pinned: None, revision: None, variable: None, mount: Mount::Any }
    }

    /// Asks for it in this environment variable.
    #[must_use]
    pub fn with_variable(mut self, variable: VariableName) -> Self {
        self.variable = Some(variable);
        self
    }

    /// Asks for it as a file.
    #[must_use]
    pub fn as_file(mut self) -> Self {
        self.mount = Mount::File;
        self
    }

    /// Asks for this revision.
    #[must_use]
    pub fn at_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// The variable that it sets, if it sets one: the one it names, or one made from the secret's name.
    ///
    /// # Errors
    /// Those of [`VariableName::for_secret`].
    pub fn variable_with_prefix(&self, prefix: &str) -> Result<Option<VariableName>> {
        match (&self.variable, self.mount) {
            (Some(variable), _) => Ok(Some(variable.clone())),
            (None, Mount::Variable) => VariableName::for_secret(prefix, &self.name).map(Some),
            (None, Mount::Any | Mount::File) => Ok(None),
        }
    }

    /// Asks at this scope only.
    #[must_use]
    pub fn pinned_to(mut self, scope: Scope) -> Self {
        self.pinned = Some(scope);
        self
    }
}

/// The name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 512 bytes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct VariableName(Box<str>);

impl VariableName {
    /// The longest name, in bytes: a prefix, a group and a key fit.
    pub const MAX_BYTES: usize = 512;

    /// The variable that carries a secret whose request names none: prefix, group and key, upper-cased and joined by
    /// `_`, as flytekit makes it (`_FSEC_GROUP_KEY`).
    ///
    /// # Errors
    /// [`Error::InvalidVariable`] where the result is no valid name, because the name holds `.` or `-`: folding them
    /// would let two secrets claim one variable.
    pub fn for_secret(prefix: &str, name: &SecretName) -> Result<Self> {
        let mut variable = prefix.to_owned();
        if let Some(group) = name.group() {
            variable.push_str(group.as_str());
            variable.push('_');
        }
        variable.push_str(name.key().as_str());
        variable.make_ascii_uppercase();
        Self::parse_for(&variable, || name.to_string())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse_for(text: &str, name: impl FnOnce() -> String) -> Result<Self> {
        let legal =
            |(at, byte): (usize, u8)| byte == b'_' || byte.is_ascii_alphabetic() || at > 0 && byte.is_ascii_digit();
        let fault = match text.bytes().enumerate().position(|place| !legal(place)) {
            Some(at) => Fault::Character { at },
            None if text.is_empty() => Fault::Empty,
            None if text.len() > Self::MAX_BYTES => Fault::TooLong { length: text.len(), limit: Self::MAX_BYTES },
            None => return Ok(Self(text.into())),
        };
        Err(Error::InvalidVariable { name: name(), fault })
    }
}

impl FromStr for VariableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse_for(text, || "the secret".to_owned())
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_from_text!(VariableName);
