//! The one table from which exit codes, JSON output, log fields and the Python exception classes derive.

macro_rules! kinds {
    ($($(#[doc = $doc:expr])+ $variant:ident = $code:literal, $text:literal;)+) => {
        /// What went wrong, as a stable token that holds nothing sensitive.
        ///
        /// The text form is what JSON output and logs print; [`exit_code`](Self::exit_code) is what the command
        /// returns. Neither ever changes its meaning; new kinds may join.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable token: lower case, words joined by `_`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The exit code of the command, 1 to 125 and different for each kind.
            #[must_use]
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$variant => $code),+ }
            }
        }
    };
}

kinds! {
    /// Something outside secretkit failed in a way that no other kind names.
    Other = 1, "other";
    /// A call or command line that makes no sense as written.
    Usage = 2, "usage";
    /// A name, group, org, project or domain breaks the rules for names.
    InvalidName = 10, "invalid_name";
    /// A scope is not of the form `org`, `org/project`, `org/*/domain` or `org/project/domain`.
    InvalidScope = 11, "invalid_scope";
    /// A description, tag, actor or expiry breaks its rules.
    InvalidMetadata = 12, "invalid_metadata";
    /// An environment variable's name breaks the rules, or two requests claim one name.
    InvalidVariable = 13, "invalid_variable";
    /// The text is not what its encoding says, for instance base64 with a wrong character.
    InvalidEncoding = 14, "invalid_encoding";
    /// The value is longer than the limit.
    TooLarge = 15, "too_large";
    /// No value was given, or one that is empty.
    NoValue = 16, "no_value";
    /// A secret request is not complete or contradicts itself.
    InvalidRequest = 17, "invalid_request";
    /// What is to be imported is not what its format says.
    InvalidInput = 18, "invalid_input";
    /// A template cannot be understood.
    InvalidTemplate = 19, "invalid_template";
    /// No secret of that name at the scopes searched.
    NotFound = 20, "not_found";
    /// A secret of that name exists at that scope already, or a file in that place.
    AlreadyExists = 21, "already_exists";
    /// Somebody else changed the secret in between.
    Conflict = 22, "conflict";
    /// Named consumers still use the secret.
    InUse = 23, "in_use";
    /// The secret is switched off.
    Inactive = 24, "inactive";
    /// The secret's expiry has passed.
    Expired = 25, "expired";
    /// The task did not request this secret.
    NotRequested = 26, "not_requested";
    /// The access policy refuses.
    Denied = 27, "denied";
    /// The value that was given is not the secret's.
    Mismatch = 28, "mismatch";
    /// No root key is configured, and one is needed.
    NoRootKey = 30, "no_root_key";
    /// The root key is not the one that this store was written with.
    WrongRootKey = 31, "wrong_root_key";
    /// The root key is not one line of 44 characters of standard base64.
    MalformedRootKey = 32, "malformed_root_key";
    /// The root key file can be read by others, belongs to somebody else, or is a link.
    ExposedRootKey = 33, "exposed_root_key";
    /// A record names a key that the org's keyring does not hold.
    UnknownKey = 34, "unknown_key";
    /// What keeps the root key does not give it: a command failed, a keyring stays locked.
    RootKeyUnavailable = 35, "root_key_unavailable";
    /// A stored record or head was altered, or does not belong where it stands.
    Corrupt = 40, "corrupt";
    /// The store was busy for longer than its time-out.
    Busy = 41, "busy";
    /// The store can be read and not written.
    ReadOnly = 42, "read_only";
    /// The store has no room left.
    Full = 43, "full";
    /// The write may or may not have taken effect.
    OutcomeUnknown = 44, "outcome_unknown";
    /// There is no store at that place.
    NoStore = 45, "no_store";
    /// The file is no store of ours, or written by a newer version.
    NotAStore = 46, "not_a_store";
    /// The store's file or place is not safe to use.
    UnsafeStore = 47, "unsafe_store";
    /// No store or key of that kind is known here.
    Unsupported = 48, "unsupported";
    /// The store is behind what its anchor remembers.
    RolledBack = 49, "rolled_back";
    /// The file is not there.
    FileMissing = 50, "file_missing";
    /// A directory stands where a file should.
    FileIsDirectory = 51, "file_is_directory";
    /// The operating system refuses access to the file.
    PermissionDenied = 52, "permission_denied";
    /// A value cannot be delivered the way it was asked for.
    Undeliverable = 53, "undeliverable";
    /// The store cannot be reached.
    Unavailable = 54, "unavailable";
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_token_and_exit_code() {
        let tokens: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let codes: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(tokens.len(), ErrorKind::ALL.len());
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(codes.iter().all(|&code| (1..=125).contains(&code)));
    }
}
