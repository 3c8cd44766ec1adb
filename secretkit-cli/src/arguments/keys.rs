//! The keys of an org over their life.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueHint};

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Show the keys of each org: use, state, age, and what is under them
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// The root key has changed: wrap the keys of all orgs with the new one
    #[command(after_help = REWRAP_EXAMPLES)]
    Rewrap,
    /// Change a key of an org: add, promote, reencrypt and retire in one go
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate(RotateKeys),
    /// Make a new key, which nothing uses yet
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddKey),
    /// Make a pending key the one that is written with
    #[command(after_help = PROMOTE_EXAMPLES)]
    Promote(OneKey),
    /// Write everything anew that is under keys of before
    #[command(after_help = REENCRYPT_EXAMPLES)]
    Reencrypt(Reencrypt),
    /// Take a key out of use, under which nothing is left
    #[command(after_help = RETIRE_EXAMPLES)]
    Retire(OneKey),
    /// Wipe a retired key for ever, or all keys of an org
    #[command(after_help = DESTROY_EXAMPLES, override_usage = DESTROY_USAGE)]
    Destroy(DestroyKeys),
}

#[derive(Args)]
pub(crate) struct AddKey {
    /// What it is for: data, meta, digest or audit
    #[arg(long = "use", required = true, value_name = "USE")]
    pub(crate) used_for: OsString,
}

#[derive(Args)]
pub(crate) struct OneKey {
    /// Its id as `key status` prints it, or the first 8 digits or more
    #[arg(value_name = "KEY", value_hint = ValueHint::Other)]
    pub(crate) key_id: OsString,
}

/// How fast things are written anew.
#[derive(Args)]
pub(crate) struct Reencrypt {
    /// Secrets in one commit, 1 to 1000
    #[arg(long, value_name = "NUMBER", default_value = "100")]
    pub(crate) batch: OsString,
    /// At most this many secrets in a second
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rate: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct RotateKeys {
    /// What the key is for: data, meta, digest or audit; repeat it for several
    #[arg(long = "use", value_name = "USE", default_value = "data")]
    pub(crate) used_for: Vec<OsString>,
    #[command(flatten)]
    pub(crate) pace: Reencrypt,
}

#[derive(Args)]
pub(crate) struct DestroyKeys {
    /// Id of a retired key, or its first 8 digits or more
    #[arg(value_name = "KEY", value_hint = ValueHint::Other)]
    pub(crate) key_id: Option<OsString>,
    /// You say: no backup from before this date or time exists any more
    #[arg(long, value_name = "DATE")]
    pub(crate) backups_expired_before: Option<OsString>,
    /// Erase this org: all its secrets become unreadable
    #[arg(long, value_name = "ORG")]
    pub(crate) all_keys_of_org: Option<OsString>,
}

pub(super) const EXAMPLES: &str = "\
Two different things are called rotation:
  rewrap     the root key has changed. Takes milliseconds, touches no secret.
             This is the routine, and does not help against somebody who had
             both the store and the old root key.
  reencrypt  a key inside the store is changed, because it is old, or because
             somebody had the store and a root key. Writes every secret anew.

Examples:
  secretkit key status
  secretkit key rewrap
  secretkit key rotate --org acme
  secretkit key rotate --use data --use meta --use digest --use audit --org acme";

const STATUS_EXAMPLES: &str = "\
All orgs, or the one that is named. What is to be done is on standard error.
Nothing that could open anything is shown.

Examples:
  secretkit key status
  secretkit key status --org acme --output json";

const REWRAP_EXAMPLES: &str = "\
For a new root key. The one of before must still be configured as a previous
key; once this is done and every process has the new one, only backups need it.
No value is written: where somebody may have had the store and the old root key,
run `key rotate` too.

Examples:
  secretkit key rewrap";

const ROTATE_EXAMPLES: &str = "\
For a data, meta, digest or audit key that is old or may be known to somebody.
Readers and writers go on meanwhile. Where it is stopped, `key reencrypt` goes
on. Events stay under the audit key they were written with, which is therefore
kept.

Examples:
  secretkit key rotate --org acme
  secretkit key rotate --use data --use meta --use digest --use audit --org acme
  secretkit key rotate --rate 500 --org acme";

const ADD_EXAMPLES: &str = "\
Prints its id. It is pending: readers know it before any writer uses it.

Examples:
  secretkit key add --use data --org acme";

const PROMOTE_EXAMPLES: &str = "\
The key of before only opens from now on.

Examples:
  secretkit key promote 3f9a01c2 --org acme";

const REENCRYPT_EXAMPLES: &str = "\
All orgs, or the one that is named. Readers and writers go on meanwhile; no
revision or generation changes. It may be stopped at any time, and passes over
what was done when it is run again. For a new root key this is not needed: see
`key rewrap`.

Examples:
  secretkit key reencrypt --org acme
  secretkit key reencrypt --batch 20 --rate 200";

const RETIRE_EXAMPLES: &str = "\
Refused while anything is under it; run `key reencrypt` first.

Examples:
  secretkit key retire 3f9a01c2 --org acme";

const DESTROY_USAGE: &str = "secretkit key destroy [OPTIONS] KEY --backups-expired-before <DATE>
       secretkit key destroy [OPTIONS] --all-keys-of-org <ORG>";

const DESTROY_EXAMPLES: &str = "\
There is no way back. A backup from before the key was retired can never be read
again. With --all-keys-of-org the secrets of the org and their digests can never
be read again; old backups still can, with the root key. Asks first; without a
terminal it needs --yes.

Examples:
  secretkit key destroy 3f9a01c2 --backups-expired-before 2026-10-01 --org acme
  secretkit key destroy --all-keys-of-org acme";
