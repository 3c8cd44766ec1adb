-- The tables, the same as those of every other store.
--
-- Text is compared byte by byte. Absent text is '', which no valid part is: NULL would make two absent parts different
-- to a unique index. Times are microseconds since 1970. An authenticator and a digest are algorithm, key id, 32 bytes.

-- One row: what the store was born with.
CREATE TABLE @schema@.store (
  id bytea NOT NULL PRIMARY KEY,
  created_at bigint NOT NULL
);

CREATE TABLE @schema@.keyring (
  org text COLLATE "C" NOT NULL PRIMARY KEY,
  version bigint NOT NULL,
  kek_id text COLLATE "C" NOT NULL,
  wrapped_key bytea NOT NULL,
  keyset bytea NOT NULL
);

-- The index serves both questions: the four candidates of a name stand side by side in it, and its order is that of a
-- listing. There is room on each page, so that a new head can stand beside the old one and no index is written.
CREATE TABLE @schema@.secrets (
  id bytea NOT NULL PRIMARY KEY,
  org text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL,
  domain text COLLATE "C" NOT NULL,
  grp text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  revision bigint NOT NULL,
  first_revision bigint NOT NULL,
  keep bigint,
  inactive_since bigint,
  expires_at bigint,
  description text COLLATE "C" NOT NULL,
  tags text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  created_by text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  value_at bigint NOT NULL,
  value_by text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  head_mac bytea NOT NULL,
  record bytea NOT NULL,
  UNIQUE (org, grp, key, project, domain)
) WITH (fillfactor = 85);

CREATE TABLE @schema@.revisions (
  secret_id bytea NOT NULL REFERENCES @schema@.secrets (id) ON DELETE CASCADE,
  revision bigint NOT NULL,
  value_at bigint NOT NULL,
  value_by text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  mac bytea NOT NULL,
  record bytea NOT NULL,
  PRIMARY KEY (secret_id, revision)
);

-- What is sealed does not compress, and whole columns are not read for 32 bytes of them.
ALTER TABLE @schema@.secrets ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE @schema@.revisions ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE @schema@.keyring ALTER COLUMN keyset SET STORAGE EXTERNAL;

-- Who uses a secret holds it: it cannot be deleted before its consumers are.
CREATE TABLE @schema@.consumers (
  secret_id bytea NOT NULL REFERENCES @schema@.secrets (id) ON DELETE RESTRICT,
  name text COLLATE "C" NOT NULL,
  seen_at bigint NOT NULL,
  seen_by text COLLATE "C" NOT NULL,
  mac bytea NOT NULL,
  PRIMARY KEY (secret_id, name)
);

CREATE TABLE @schema@.usage (
  secret_id bytea NOT NULL PRIMARY KEY REFERENCES @schema@.secrets (id) ON DELETE CASCADE,
  used_at bigint NOT NULL,
  used_by text COLLATE "C" NOT NULL,
  mac bytea NOT NULL
) WITH (fillfactor = 70);

-- Where each lane of events ends. Without foreign keys, like the events: they outlive what they tell of.
CREATE TABLE @schema@.lanes (
  org text COLLATE "C" NOT NULL,
  lane bigint NOT NULL,
  seq bigint NOT NULL,
  mac bytea NOT NULL,
  PRIMARY KEY (org, lane)
) WITH (fillfactor = 50);

CREATE TABLE @schema@.events (
  org text COLLATE "C" NOT NULL,
  lane bigint NOT NULL,
  seq bigint NOT NULL,
  token bytea NOT NULL,
  at bigint NOT NULL,
  body bytea NOT NULL,
  mac bytea NOT NULL,
  PRIMARY KEY (org, lane, seq)
);

CREATE INDEX events_by_token ON @schema@.events (org, token);

-- What somebody was told of a commit: that it took effect, or that it did not and never will. Who asked, and as which of
-- their calls: 8 bytes each.
CREATE TABLE @schema@.settled (
  org text COLLATE "C" NOT NULL,
  token bytea NOT NULL,
  asked bytea NOT NULL,
  PRIMARY KEY (org, token)
);
