-- What the store does on the server, so that each takes one round trip. Every function runs with the rights of whoever
-- calls it, and names nothing that a search path of theirs could put in the place of ours.

-- The number of an advisory lock: of this store's orgs, of those who add several secrets to one, and of tokens.
CREATE FUNCTION @schema@.lock_key(kind text, name text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.hashtextextended(@name@ || ' ' || kind || ' ' || name, 0);

-- Keeps that somebody was told what became of a commit. That is written in any case: whoever only reads what a server came
-- back with after a crash does not wait until its standby has it, and would tell what the standby may never know.
-- Of two who asked, each was told: then nobody's call is after both, and the bytes are those of no call.
CREATE FUNCTION @schema@.settle(of_org text, of_token bytea) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, @schema@, pg_temp
AS $$
  INSERT INTO settled (org, token, asked) VALUES (of_org, substr(of_token, 1, 16), substr(of_token, 17, 16))
    ON CONFLICT (org, token) DO UPDATE SET asked = CASE
      WHEN substr(settled.asked, 1, 8) <> substr(excluded.asked, 1, 8) THEN decode(repeat('f', 32), 'hex')
      WHEN settled.asked > excluded.asked THEN settled.asked
      ELSE excluded.asked
    END
$$;

-- Checks all expectations, in their order, and applies all changes and events; or refuses and changes nothing.
--
-- It must run alone in a transaction of READ COMMITTED: each statement below then sees what was committed before it, also
-- while it waited for a lock. Locks are taken in one order, so that no two batches wait for each other:
--
-- 1. the orgs. A batch that changes or judges an org as a whole (its keyring, that a key is unused, that there is no
--    secret) holds it alone; every other one holds it together with others.
-- 2. the token. Whoever asks for it waits until this is done.
-- 3. who adds more than one secret to an org: one at a time, because unique indexes are waited for in the order of adding.
-- 4. the heads, by id: those that must stay, those that change, those that go.
-- 5. the lanes, by number.
--
-- SQLSTATE SK001 is raised where a change does not fit: either somebody else committed between a check that locks nothing
-- (that an address is free) and its change, and the same call again is refused, or the batch relies on what it does not
-- expect, and the same call again ends here again.
--
-- The token comes with 16 bytes that tell whose call this is, and which of theirs: of what was sent before somebody was told
-- that it did not take effect, nothing does later, however long it was on its way. SQLSTATE SK003 says so.
--
-- What this costs is the number of statements in it and the terms of each, which are made ready anew for every call. Nearly
-- every batch is one change and one event of one org, and expects a keyring, the end of a lane, and an address that is free
-- or a secret that is as it was. So:
--
-- * The first change and the first event are parameters. What there is beside them is JSON, with places in `bytes`, and is
--   put into the same parameters, one after the other.
-- * What such a batch expects comes as parameters too, and one statement asks whether all of it holds, but for the lane:
--   that is moved on if it ends where it should, which holds and compares it at once. Nothing is written before all the
--   rest holds. Where anything does not, or the batch expects something else, it is judged with care: the lanes are held,
--   and each expectation is looked at in its order.
-- * A function is run by an assignment, which is no statement, and what is seldom wanted stands behind one condition.
CREATE FUNCTION @schema@.apply(
  orgs text[], alone boolean[], adds_several boolean[],
  stay bytea[], change bytea[], go bytea[],
  lane_orgs text[], lane_numbers bigint[],
  batch_token bytea,
  with_care boolean, is_free boolean, at_generation bigint, ring_version bigint, ring_mark bytea,
  lane_end bigint, lane_mac bytea, expectations text,
  kind text, id bytea, org text, project text, domain text, grp text, key text, generation bigint, revision bigint,
  first_revision bigint, keep bigint, inactive_since bigint, expires_at bigint, description text, tags text,
  created_at bigint, created_by text, updated_at bigint, updated_by text, value_at bigint, value_by text,
  digest bytea, mac bytea, record bytea, more_changes text,
  event_org text, lane bigint, seq bigint, token bytea, at bigint, body bytea, event_mac bytea, more_events text,
  bytes bytea[],
  OUT refused integer, OUT there text, OUT number bigint, OUT mark bytea
)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, @schema@, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  -- Places, and not the bytes at them: a cursor has an array of its own, in which each is looked for from the first on.
  following_changes NO SCROLL CURSOR FOR
    SELECT * FROM jsonb_to_recordset(more_changes::jsonb) AS x (
      kind text, id integer, org text, project text, domain text, grp text, key text, generation bigint, revision bigint,
      first_revision bigint, keep bigint, inactive_since bigint, expires_at bigint, description text, tags text,
      created_at bigint, created_by text, updated_at bigint, updated_by text, value_at bigint, value_by text,
      digest integer, mac integer, record integer);
  following_events NO SCROLL CURSOR FOR
    SELECT * FROM jsonb_to_recordset(more_events::jsonb) AS x (
      org text, lane bigint, seq bigint, token integer, at bigint, body integer, mac integer);
  e record;
  id_at integer;
  digest_at integer;
  mac_at integer;
  record_at integer;
  token_at integer;
  body_at integer;
  place integer := 0;
  written bigint;
  done boolean;
  took_effect boolean;
  was_denied boolean;
  lane_is_on boolean;
  events_are_open boolean;
  lane_seq bigint;
  next_org text;
  next_lane bigint;
  next_seq bigint;
  first_kind text;
  first_org text;
  first_id bytea;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' OR current_setting('synchronous_commit') = 'off'
      OR current_setting('client_min_messages') = 'error' THEN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION 'this transaction would not see what it waited for' USING ERRCODE = 'SK002';
    END IF;
    -- A commit that was acknowledged survives a crash, whatever the role's default is.
    IF current_setting('synchronous_commit') = 'off' THEN
      PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    -- Where the server gives up waiting for its standbys, that is a warning, and whoever calls this has to hear it.
    PERFORM set_config('client_min_messages', 'warning', true);
  END IF;

  IF orgs IS NULL THEN
    done := pg_advisory_xact_lock_shared(lock_key('org', event_org)) IS NULL;
  ELSE
    FOR i IN 1 .. cardinality(orgs) LOOP
      IF alone[i] THEN
        done := pg_advisory_xact_lock(lock_key('org', orgs[i])) IS NULL;
      ELSE
        done := pg_advisory_xact_lock_shared(lock_key('org', orgs[i])) IS NULL;
      END IF;
    END LOOP;
  END IF;
  IF batch_token IS NOT NULL THEN
    done := pg_advisory_xact_lock(lock_key('token', encode(substr(batch_token, 1, 16), 'hex'))) IS NULL;
  END IF;
  IF orgs IS NOT NULL THEN
    FOR i IN 1 .. cardinality(orgs) LOOP
      IF adds_several[i] AND NOT alone[i] THEN
        done := pg_advisory_xact_lock(lock_key('adds', orgs[i])) IS NULL;
      END IF;
    END LOOP;
  END IF;

  IF coalesce(stay, change, go) IS NOT NULL THEN
    IF cardinality(stay) > 0 THEN
      PERFORM FROM secrets WHERE id = ANY (stay) ORDER BY id FOR KEY SHARE;
    END IF;
    IF cardinality(change) > 0 THEN
      PERFORM FROM secrets WHERE id = ANY (change) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    IF cardinality(go) > 0 THEN
      PERFORM FROM secrets WHERE id = ANY (go) ORDER BY id FOR UPDATE;
    END IF;
  END IF;

  SELECT EXISTS (SELECT FROM events WHERE org = event_org AND token = substr(batch_token, 1, 16)),
      EXISTS (SELECT FROM settled WHERE org = event_org AND token = substr(batch_token, 1, 16)
        AND (substr(asked, 1, 8) <> substr(batch_token, 17, 8) OR asked >= substr(batch_token, 17, 16))),
      with_care
        OR is_free AND EXISTS (SELECT FROM secrets WHERE org = apply.org AND grp = apply.grp AND key = apply.key
          AND project = apply.project AND domain = apply.domain)
        OR NOT EXISTS (SELECT FROM keyring WHERE org = event_org AND version = ring_version
          AND substr(keyset, 69, 32) = ring_mark)
    INTO took_effect, was_denied, with_care;
  -- Where it has events of several orgs, somebody may have asked for it by any of them.
  IF cardinality(orgs) > 1 AND NOT was_denied THEN
    was_denied := EXISTS (SELECT FROM settled WHERE org = ANY (orgs) AND token = substr(batch_token, 1, 16)
      AND (substr(asked, 1, 8) <> substr(batch_token, 17, 8) OR asked >= substr(batch_token, 17, 16)));
  END IF;
  IF took_effect OR was_denied THEN
    IF took_effect THEN
      PERFORM settle(event_org, batch_token);
      RETURN;
    END IF;
    RAISE EXCEPTION 'it was told that this did not take effect' USING ERRCODE = 'SK003';
  END IF;
  IF at_generation IS NOT NULL AND NOT with_care THEN
    with_care := NOT EXISTS (SELECT FROM secrets WHERE id = apply.id AND org = event_org AND generation = at_generation);
  END IF;
  IF NOT with_care THEN
    UPDATE lanes SET seq = apply.seq, mac = event_mac
      WHERE org = event_org AND lane = apply.lane AND seq = lane_end AND mac = lane_mac;
    lane_is_on := FOUND;
  END IF;

  IF lane_is_on IS NOT TRUE THEN
    FOR i IN 1 .. cardinality(lane_orgs) LOOP
      PERFORM FROM lanes WHERE org = lane_orgs[i] AND lane = lane_numbers[i] FOR UPDATE;
    END LOOP;
    FOR e IN
      SELECT * FROM jsonb_to_recordset(expectations::jsonb) AS x (
        kind text, org text, project text, domain text, grp text, key text, id integer, lane bigint, number bigint,
        mark integer)
    LOOP
      there := NULL;
      number := NULL;
      mark := NULL;
      CASE e.kind
        WHEN 'absent' THEN
          SELECT 'secret', generation INTO there, number FROM secrets
            WHERE org = e.org AND grp = e.grp AND key = e.key AND project = e.project AND domain = e.domain;
        WHEN 'generation' THEN
          SELECT 'secret', generation INTO there, number FROM secrets WHERE id = bytes[e.id] AND org = e.org;
          IF NOT FOUND THEN
            there := 'nothing';
          ELSIF number = e.number THEN
            there := NULL;
          END IF;
        WHEN 'exists' THEN
          PERFORM FROM secrets WHERE id = bytes[e.id] AND org = e.org;
          IF NOT FOUND THEN
            there := 'nothing';
          END IF;
        WHEN 'no_consumers' THEN
          SELECT 'consumer' INTO there FROM consumers JOIN secrets ON id = secret_id
            WHERE secret_id = bytes[e.id] AND org = e.org LIMIT 1;
        WHEN 'consumer_seen' THEN
          SELECT seen_at INTO number FROM consumers JOIN secrets ON id = secret_id
            WHERE secret_id = bytes[e.id] AND org = e.org AND name = e.key;
          IF number IS DISTINCT FROM e.number THEN
            there := CASE WHEN number IS NULL THEN 'nothing' ELSE 'consumer' END;
          END IF;
          number := NULL;
        WHEN 'keyring' THEN
          SELECT 'keyring', version, substr(keyset, 69, 32) INTO there, number, mark FROM keyring WHERE org = e.org;
          IF NOT FOUND AND e.mark IS NOT NULL THEN
            there := 'nothing';
          ELSIF number = e.number AND mark = bytes[e.mark] THEN
            there := NULL;
          END IF;
        WHEN 'lane' THEN
          SELECT 'lane', seq, lanes.mac INTO there, number, mark FROM lanes WHERE org = e.org AND lane = e.lane;
          IF NOT FOUND AND e.mark IS NOT NULL THEN
            there := 'nothing';
          ELSIF number = e.number AND mark = bytes[e.mark] THEN
            there := NULL;
          END IF;
        WHEN 'key_unused' THEN
          SELECT 'items', items INTO there, number FROM key_uses(e.org) WHERE key = bytes[e.id];
        WHEN 'no_secrets' THEN
          SELECT 'secret', generation INTO there, number FROM secrets WHERE org = e.org LIMIT 1;
      END CASE;
      IF there IS NOT NULL THEN
        refused := place;
        RETURN;
      END IF;
      place := place + 1;
    END LOOP;
  END IF;

  WHILE kind IS NOT NULL LOOP
    CASE kind
      WHEN 'insert' THEN
        INSERT INTO secrets (id, org, project, domain, grp, key, generation, revision, first_revision, keep,
            inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at,
            value_by, digest, head_mac, record)
          VALUES (id, org, project, domain, grp, key, generation, revision, first_revision,
            keep, inactive_since, expires_at, description, tags, created_at, created_by, updated_at,
            updated_by, value_at, value_by, digest, mac, record)
          ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS written = ROW_COUNT;
      WHEN 'keep' THEN
        INSERT INTO revisions (secret_id, revision, value_at, value_by, digest, mac, record)
          VALUES (id, revision, value_at, value_by, digest, mac, record)
          ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS written = ROW_COUNT;
      WHEN 'replace', 'reseal' THEN
        written := 0;
        -- Whoever only seals anew has the right to that alone.
        IF kind = 'reseal' THEN
          UPDATE secrets SET digest = apply.digest, head_mac = apply.mac, record = apply.record
            WHERE id = apply.id
              AND (org, project, domain, grp, key, generation, revision, first_revision, keep, inactive_since,
                expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by)
              IS NOT DISTINCT FROM (apply.org, apply.project, apply.domain, apply.grp, apply.key, apply.generation,
                apply.revision, apply.first_revision, apply.keep, apply.inactive_since, apply.expires_at,
                apply.description, apply.tags, apply.created_at, apply.created_by, apply.updated_at, apply.updated_by,
                apply.value_at, apply.value_by);
          GET DIAGNOSTICS written = ROW_COUNT;
        END IF;
        IF written = 0 THEN
          -- The address is in the condition and not among what is set: a secret never moves.
          UPDATE secrets SET generation = apply.generation, revision = apply.revision,
              first_revision = apply.first_revision, keep = apply.keep, inactive_since = apply.inactive_since,
              expires_at = apply.expires_at, description = apply.description, tags = apply.tags,
              created_at = apply.created_at, created_by = apply.created_by, updated_at = apply.updated_at,
              updated_by = apply.updated_by, value_at = apply.value_at, value_by = apply.value_by,
              digest = apply.digest, head_mac = apply.mac, record = apply.record
            WHERE id = apply.id AND org = apply.org AND project = apply.project AND domain = apply.domain
              AND grp = apply.grp AND key = apply.key;
          GET DIAGNOSTICS written = ROW_COUNT;
          DELETE FROM revisions WHERE secret_id = apply.id AND revision < apply.first_revision;
        END IF;
      WHEN 'replace_revision' THEN
        UPDATE revisions SET digest = apply.digest, mac = apply.mac, record = apply.record
          WHERE secret_id = (SELECT id FROM secrets WHERE id = apply.id AND org = apply.org)
            AND revision = apply.revision AND value_at = apply.value_at AND value_by = apply.value_by;
        IF NOT FOUND THEN
          UPDATE revisions SET value_at = apply.value_at, value_by = apply.value_by, digest = apply.digest,
              mac = apply.mac, record = apply.record
            WHERE secret_id = (SELECT id FROM secrets WHERE id = apply.id AND org = apply.org)
              AND revision = apply.revision;
        END IF;
        GET DIAGNOSTICS written = ROW_COUNT;
      WHEN 'delete' THEN
        -- Its superseded values and its last use go with it, by their foreign keys.
        PERFORM FROM consumers WHERE secret_id = apply.id;
        IF FOUND THEN
          RAISE EXCEPTION 'a change does not fit what is stored' USING ERRCODE = 'SK001';
        END IF;
        DELETE FROM secrets WHERE id = apply.id AND org = apply.org;
        GET DIAGNOSTICS written = ROW_COUNT;
      WHEN 'register' THEN
        UPDATE consumers SET mac = apply.mac
          WHERE secret_id = (SELECT id FROM secrets WHERE id = apply.id AND org = apply.org)
            AND name = apply.key AND seen_at = apply.value_at AND seen_by = apply.value_by;
        IF NOT FOUND THEN
          INSERT INTO consumers (secret_id, name, seen_at, seen_by, mac)
            SELECT id, apply.key, apply.value_at, apply.value_by, apply.mac FROM secrets
              WHERE id = apply.id AND org = apply.org
            ON CONFLICT (secret_id, name) DO UPDATE SET seen_at = excluded.seen_at, seen_by = excluded.seen_by,
              mac = excluded.mac;
        END IF;
        GET DIAGNOSTICS written = ROW_COUNT;
      WHEN 'unregister' THEN
        DELETE FROM consumers
          WHERE secret_id = (SELECT id FROM secrets WHERE id = apply.id AND org = apply.org) AND name = apply.key;
        -- What is not there any more needs not be unregistered.
        written := 1;
      WHEN 'keyring' THEN
        -- The org is held alone. To add one takes another right than to change one.
        PERFORM FROM keyring WHERE org = apply.org;
        IF FOUND THEN
          UPDATE keyring SET version = apply.revision, kek_id = apply.key, wrapped_key = apply.mac,
              keyset = apply.record
            WHERE org = apply.org;
        ELSE
          INSERT INTO keyring (org, version, kek_id, wrapped_key, keyset)
            VALUES (org, revision, key, mac, record);
        END IF;
        GET DIAGNOSTICS written = ROW_COUNT;
    END CASE;
    IF written <> 1 THEN
      RAISE EXCEPTION 'a change does not fit what is stored' USING ERRCODE = 'SK001';
    END IF;
    EXIT WHEN more_changes IS NULL;
    IF first_kind IS NULL THEN
      first_kind := kind;
      first_org := org;
      first_id := id;
      OPEN following_changes;
    END IF;
    FETCH following_changes INTO kind, id_at, org, project, domain, grp, key, generation, revision, first_revision, keep,
      inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by,
      digest_at, mac_at, record_at;
    id := bytes[id_at];
    digest := bytes[digest_at];
    mac := bytes[mac_at];
    record := bytes[record_at];
  END LOOP;

  -- Several events in a row move their lane on twice: with the first of them, and with the last. To write one row over and
  -- over in one transaction takes ever longer.
  WHILE event_org IS NOT NULL LOOP
    IF lane_is_on IS NOT TRUE THEN
      INSERT INTO lanes (org, lane, seq, mac) SELECT event_org, apply.lane, apply.seq, event_mac
        WHERE apply.seq = 1 OR EXISTS (SELECT FROM lanes WHERE org = event_org AND lane = apply.lane)
        ON CONFLICT (org, lane) DO UPDATE SET seq = excluded.seq, mac = excluded.mac WHERE lanes.seq = excluded.seq - 1;
      GET DIAGNOSTICS written = ROW_COUNT;
      IF written <> 1 THEN
        RAISE EXCEPTION 'an event does not follow the end of its lane' USING ERRCODE = 'SK001';
      END IF;
      lane_seq := seq;
    END IF;
    INSERT INTO events (org, lane, seq, token, at, body, mac)
      VALUES (event_org, lane, seq, token, at, body, event_mac);
    EXIT WHEN more_events IS NULL;
    IF events_are_open IS NULL THEN
      OPEN following_events;
      events_are_open := true;
      lane_seq := seq;
    END IF;
    FETCH following_events INTO next_org, next_lane, next_seq, token_at, at, body_at, mac_at;
    lane_is_on := next_org = event_org AND next_lane = lane AND next_seq = seq + 1;
    IF lane_is_on IS NOT TRUE AND seq > lane_seq THEN
      UPDATE lanes SET seq = apply.seq, mac = event_mac
        WHERE org = event_org AND lane = apply.lane AND seq = lane_seq;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'an event does not follow the end of its lane' USING ERRCODE = 'SK001';
      END IF;
    END IF;
    event_org := next_org;
    lane := next_lane;
    seq := next_seq;
    token := bytes[token_at];
    body := bytes[body_at];
    event_mac := bytes[mac_at];
  END LOOP;

  -- Last of all: whoever listens has a lease by now, or waits until this is done.
  IF more_changes IS NULL THEN
    done := tell(kind, org, id, NULL, NULL) IS NULL;
  ELSE
    done := tell(first_kind, first_org, first_id, more_changes, bytes) IS NULL;
  END IF;
END
$$;

-- How many items of an org stand under each key. A record has the id of its key after 8 bytes; an authenticator and a
-- digest after one. Last uses are not counted: whoever may read a secret may write there what they like.
CREATE FUNCTION @schema@.key_uses(of_org text) RETURNS TABLE (key bytea, items bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, @schema@, pg_temp
AS $$
  WITH ours AS (SELECT id, record, head_mac, digest FROM secrets WHERE org = of_org),
  item AS (
    SELECT substr(record, 9, 16) AS key FROM ours
    UNION ALL SELECT substr(head_mac, 2, 16) FROM ours
    UNION ALL SELECT substr(digest, 2, 16) FROM ours
    UNION ALL SELECT substr(revisions.record, 9, 16) FROM ours JOIN revisions ON secret_id = id
    UNION ALL SELECT substr(revisions.mac, 2, 16) FROM ours JOIN revisions ON secret_id = id
    UNION ALL SELECT substr(revisions.digest, 2, 16) FROM ours JOIN revisions ON secret_id = id
    UNION ALL SELECT substr(consumers.mac, 2, 16) FROM ours JOIN consumers ON secret_id = id
    UNION ALL SELECT substr(mac, 2, 16) FROM events WHERE org = of_org
  )
  SELECT item.key, count(*) FROM item GROUP BY item.key
$$;

-- Records uses, and false where that would mean to wait for somebody. It is not durable, and nothing waits for it.
CREATE FUNCTION @schema@.touch(
  of_org text, of_version bigint, of_commitment bytea, ids bytea[], times bigint[], actors text[], macs bytea[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, @schema@, pg_temp
SET lock_timeout = '1ms'
AS $$
DECLARE
  u record;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  IF NOT pg_try_advisory_xact_lock_shared(lock_key('org', of_org)) THEN
    RETURN false;
  END IF;
  PERFORM FROM keyring WHERE org = of_org AND version = of_version AND substr(keyset, 69, 32) = of_commitment;
  IF NOT FOUND THEN
    RETURN true;
  END IF;
  FOR u IN
    SELECT x.* FROM unnest(ids, times, actors, macs) AS x (id, used_at, used_by, mac)
      JOIN secrets ON secrets.id = x.id AND secrets.org = of_org ORDER BY x.id, x.used_at
  LOOP
    UPDATE usage SET used_at = u.used_at, used_by = u.used_by, mac = u.mac
      WHERE secret_id = (SELECT secret_id FROM usage WHERE secret_id = u.id FOR UPDATE SKIP LOCKED)
        AND usage.used_at <= u.used_at;
    IF NOT FOUND THEN
      INSERT INTO usage (secret_id, used_at, used_by, mac) VALUES (u.id, u.used_at, u.used_by, u.mac)
        ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
  RETURN true;
END
$$;

-- Whether the commit with this token took effect, once it is over if it is under way. A no is kept, so that it stays one.
CREATE FUNCTION @schema@.outcome(of_org text, of_token bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, @schema@, pg_temp
AS $$
DECLARE
  took_effect boolean;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  IF current_setting('client_min_messages') = 'error' THEN
    PERFORM set_config('client_min_messages', 'warning', true);
  END IF;
  PERFORM pg_advisory_xact_lock(lock_key('token', encode(substr(of_token, 1, 16), 'hex')));
  took_effect := EXISTS (SELECT FROM events WHERE org = of_org AND token = substr(of_token, 1, 16));
  PERFORM settle(of_org, of_token);
  RETURN took_effect;
END
$$;
