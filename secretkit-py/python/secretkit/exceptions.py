"""What can go wrong: one class for each kind of error, all of them `SecretError`.

The classes also are what Python and flytekit would raise in their place: a missing secret is a `LookupError` and a
`ValueError`, a missing file a `FileNotFoundError`. No message holds a byte of a value.
"""


class SecretError(Exception):
    """Every error of secretkit. `kind` is the stable token that the command and the logs print too."""

    kind = "other"


class Other(SecretError):
    """Something outside secretkit failed in a way that no other class names."""

    kind = "other"


class Usage(SecretError, ValueError):
    """A call that makes no sense as written."""

    kind = "usage"


class InvalidName(SecretError, ValueError):
    """A name, group, org, project or domain breaks the rules for names."""

    kind = "invalid_name"


class InvalidScope(SecretError, ValueError):
    """A scope is not of the form `org`, `org/project`, `org/*/domain` or `org/project/domain`."""

    kind = "invalid_scope"


class InvalidMetadata(SecretError, ValueError):
    """A description, tag, actor or expiry breaks its rules."""

    kind = "invalid_metadata"


class InvalidVariable(SecretError, ValueError):
    """An environment variable's name breaks the rules, or two secrets claim one name."""

    kind = "invalid_variable"


class InvalidEncoding(SecretError, ValueError):
    """The value is not what it was asked for as, for instance not UTF-8 where text was asked for."""

    kind = "invalid_encoding"


class TooLarge(SecretError, ValueError):
    """The value is longer than the limit."""

    kind = "too_large"


class NoValue(SecretError, ValueError):
    """No value was given, or one that is empty."""

    kind = "no_value"


class InvalidRequest(SecretError, ValueError):
    """A secret request is not complete or contradicts itself."""

    kind = "invalid_request"


class InvalidInput(SecretError, ValueError):
    """What is to be imported is not what its format says."""

    kind = "invalid_input"


class InvalidTemplate(SecretError, ValueError):
    """A template cannot be understood."""

    kind = "invalid_template"


class NotFound(SecretError, LookupError, ValueError):
    """No secret of that name at the scopes searched."""

    kind = "not_found"


class AlreadyExists(SecretError):
    """A secret of that name exists at that scope already, or a file in that place."""

    kind = "already_exists"


class Conflict(SecretError):
    """Somebody else changed the secret in between."""

    kind = "conflict"


class InUse(SecretError):
    """Named consumers still use the secret."""

    kind = "in_use"

    consumers: tuple[str, ...] = ()
    """Their names, where it was a secret that was to be deleted."""


class Inactive(SecretError):
    """The secret is switched off."""

    kind = "inactive"


class Expired(SecretError):
    """The secret's expiry has passed."""

    kind = "expired"


class NotRequested(SecretError, LookupError, ValueError):
    """The task did not request this secret, or not in this form."""

    kind = "not_requested"


class Denied(SecretError, PermissionError):
    """The access policy refuses."""

    kind = "denied"


class Mismatch(SecretError):
    """The value that was given is not the secret's."""

    kind = "mismatch"


class NoRootKey(SecretError):
    """No root key is configured, and one is needed."""

    kind = "no_root_key"


class WrongRootKey(SecretError):
    """The root key is not the one that this store was written with."""

    kind = "wrong_root_key"


class MalformedRootKey(SecretError, ValueError):
    """The root key is not one line of 44 characters of standard base64."""

    kind = "malformed_root_key"


class ExposedRootKey(SecretError):
    """The root key file can be read by others, belongs to somebody else, or is a link."""

    kind = "exposed_root_key"


class UnknownKey(SecretError):
    """A record names a key that the org's keyring does not hold."""

    kind = "unknown_key"


class RootKeyUnavailable(SecretError):
    """What keeps the root key does not give it: a command failed, a keyring stays locked."""

    kind = "root_key_unavailable"


class Corrupt(SecretError):
    """A stored record or head was altered, or does not belong where it stands."""

    kind = "corrupt"


class Busy(SecretError):
    """The store was busy for longer than its time-out."""

    kind = "busy"


class ReadOnly(SecretError):
    """The store can be read and not written."""

    kind = "read_only"


class Full(SecretError):
    """The store has no room left."""

    kind = "full"


class OutcomeUnknown(SecretError):
    """The write may or may not have taken effect."""

    kind = "outcome_unknown"


class NoStore(SecretError):
    """There is no store at that place."""

    kind = "no_store"


class NotAStore(SecretError):
    """The file is no store of ours, or written by a newer version."""

    kind = "not_a_store"


class UnsafeStore(SecretError):
    """The store's file or place is not safe to use."""

    kind = "unsafe_store"


class Unsupported(SecretError):
    """No store or key of that kind is known here."""

    kind = "unsupported"


class RolledBack(SecretError):
    """The store is behind what its anchor remembers of it: an old copy was put in its place."""

    kind = "rolled_back"


class FileMissing(SecretError, FileNotFoundError):
    """The file is not there."""

    kind = "file_missing"


class FileIsDirectory(SecretError, IsADirectoryError):
    """A directory stands where a file should."""

    kind = "file_is_directory"


class PermissionDenied(SecretError, PermissionError):
    """The operating system refuses access to the file."""

    kind = "permission_denied"


class Undeliverable(SecretError):
    """A value cannot be delivered the way it was asked for."""

    kind = "undeliverable"


class Unavailable(SecretError, ConnectionError):
    """The store cannot be reached."""

    kind = "unavailable"


class RegistrationWarning(RuntimeWarning):
    """A task could not be registered as a consumer of the secrets that it got."""


class AnchorWarning(RuntimeWarning):
    """A write took effect, and the anchor does not know of it."""


# The extension raises by this table; a kind that it lacks is a failing test.
BY_KIND: dict[str, type[SecretError]] = {each.kind: each for each in SecretError.__subclasses__()}
