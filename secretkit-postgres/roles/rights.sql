-- What each role may do, and no more. Run by the owner of the tables; it may be run again.
REVOKE ALL ON @schema@.migrations, @schema@.store, @schema@.keyring, @schema@.secrets, @schema@.revisions,
  @schema@.consumers, @schema@.usage, @schema@.lanes, @schema@.events, @schema@.settled, @schema@.roles,
  @schema@.logins, @schema@.listeners
  FROM @reader@, @writer@, @rotator@, @auditor@;
REVOKE ALL ON FUNCTION @schema@.lock_key, @schema@.apply, @schema@.key_uses, @schema@.touch, @schema@.outcome,
  @schema@.settle, @schema@.listen, @schema@.unlisten, @schema@.writing, @schema@.tell
  FROM @reader@, @writer@, @rotator@, @auditor@;

-- All of them read. Which rows, the policies say. Lanes and events are what an anchor is compared with.
GRANT USAGE ON SCHEMA @schema@ TO @reader@, @writer@, @rotator@, @auditor@;
GRANT SELECT ON @schema@.migrations, @schema@.store, @schema@.keyring, @schema@.secrets, @schema@.revisions,
  @schema@.consumers, @schema@.usage, @schema@.lanes, @schema@.events, @schema@.logins
  TO @reader@, @writer@, @rotator@, @auditor@;
GRANT EXECUTE ON FUNCTION @schema@.key_uses, @schema@.listen, @schema@.unlisten, @schema@.writing
  TO @reader@, @writer@, @rotator@, @auditor@;

-- Whoever opens values records that; an auditor leaves no trace.
GRANT INSERT, UPDATE (used_at, used_by, mac) ON @schema@.usage TO @reader@, @writer@, @rotator@;
GRANT EXECUTE ON FUNCTION @schema@.lock_key, @schema@.touch TO @reader@, @writer@, @rotator@;

-- A writer makes, changes and deletes secrets, and the first keyring of an org. No secret moves, nothing that is kept of
-- one is changed, and no keyring.
GRANT INSERT, DELETE, UPDATE (generation, revision, first_revision, keep, inactive_since, expires_at, description, tags,
  created_at, created_by, updated_at, updated_by, value_at, value_by, digest, head_mac, record) ON @schema@.secrets
  TO @writer@;
GRANT INSERT, DELETE ON @schema@.revisions TO @writer@;
GRANT INSERT, DELETE, UPDATE (seen_at, seen_by, mac) ON @schema@.consumers TO @writer@;
GRANT INSERT ON @schema@.keyring TO @writer@;

-- A rotator changes keyrings and what is sealed or authenticated under them, and nothing beside.
GRANT UPDATE (version, kek_id, wrapped_key, keyset) ON @schema@.keyring TO @rotator@;
GRANT UPDATE (digest, head_mac, record) ON @schema@.secrets TO @rotator@;
GRANT UPDATE (digest, mac, record) ON @schema@.revisions TO @rotator@;
GRANT UPDATE (mac) ON @schema@.consumers TO @rotator@;

-- Both add what they did to the events, which nobody changes or deletes.
GRANT INSERT ON @schema@.events TO @writer@, @rotator@;
GRANT INSERT, UPDATE (seq, mac) ON @schema@.lanes TO @writer@, @rotator@;
GRANT SELECT, INSERT, UPDATE (asked) ON @schema@.settled TO @writer@, @rotator@;
GRANT EXECUTE ON FUNCTION @schema@.apply, @schema@.outcome, @schema@.settle, @schema@.tell
  TO @writer@, @rotator@;
