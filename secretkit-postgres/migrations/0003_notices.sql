-- Telling those who keep answers that something has changed.
--
-- A commit that notifies waits for every other one of the whole server that does, through its flush. So a commit tells
-- only where somebody listens. Whoever listens holds a lease, and asks for it in this order, so that there is no gap:
--
-- 1. It listens.
-- 2. It gets its lease. A commit looks for leases once it has changed its rows: one that looks from now on tells.
-- 3. It waits for those that changed rows before they could see the lease: they hold the lock of `writing` to their end.
-- 4. From now on it hears everything, and forgets what it knew.
--
-- Every role of a database can listen to everything in it. So what is said names no org and no secret: an org is a hash,
-- which tells those who guess it no more than the advisory locks of its commits, and a secret is its id.
--
-- These functions run with the rights of their owner, so that nobody else needs any on the table. What they do for
-- whoever calls them is no more than anybody may do: to notify, and to hold a lease of their own. The schema is not in their
-- path: where others could create in it, an operator of theirs would be found there, and run with those rights.

-- Nothing is lost with it: who listens has a connection to this server, and asks again.
CREATE UNLOGGED TABLE @schema@.listeners (
  id bytea NOT NULL PRIMARY KEY,
  until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Gets a lease, or goes on with it. Whether there was one all the time, and NULL where none is to be had: notifications
-- that nobody takes fill a queue of the whole server, and every commit that notifies fails once it is full.
CREATE FUNCTION @schema@.listen(listener bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS @body@
BEGIN
  IF length(listener) <> 16 THEN
    RAISE EXCEPTION 'a listener has 16 bytes' USING ERRCODE = 'SK003';
  END IF;
  IF pg_notification_queue_usage() > 0.5::float8 THEN
    RETURN NULL;
  END IF;
  UPDATE @schema@.listeners SET until = clock_timestamp() + interval '30 seconds'
    WHERE id = listener AND until > clock_timestamp();
  IF FOUND THEN
    RETURN true;
  END IF;
  INSERT INTO @schema@.listeners (id, until) VALUES (listener, clock_timestamp() + interval '30 seconds')
    ON CONFLICT (id) DO UPDATE SET until = excluded.until;
  DELETE FROM @schema@.listeners WHERE id IN (
    SELECT id FROM @schema@.listeners WHERE until < clock_timestamp() ORDER BY id FOR UPDATE SKIP LOCKED);
  RETURN false;
END
@body@;

CREATE FUNCTION @schema@.unlisten(listener bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  DELETE FROM @schema@.listeners WHERE id = listener;
END;

-- Who is changing rows that an answer may hold, or who may have it, and is not done yet.
CREATE FUNCTION @schema@.writing() RETURNS text[]
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
RETURN (
  SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM pg_locks AS l
    JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_database AS d ON d.oid = l.database
  WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted AND d.datname = current_database()
    AND n.nspname = @name@ AND c.relname IN ('secrets', 'revisions', 'logins')
);

-- Tells what a commit has changed, once for each org: its hash, and behind it `*` for everything, or `~` and an id for
-- each secret that is changed or gone, and `+` and an id for each that is new.
--
-- Where the queue fills because somebody sleeps, nothing is said and all leases end: each listener finds that out within
-- seconds. A lease on which somebody holds a lock goes on, and is told all the same: nobody waits for whoever sleeps there.
-- But not where the queue is nearly full: then a commit that notifies would fail.
CREATE FUNCTION @schema@.tell(
  first_kind text, first_org text, first_id bytea, more_changes text, bytes bytea[]
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS @body@
BEGIN
  PERFORM FROM @schema@.listeners WHERE until > clock_timestamp();
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF pg_notification_queue_usage() > 0.5::float8 THEN
    DELETE FROM @schema@.listeners WHERE id IN (
      SELECT id FROM @schema@.listeners ORDER BY id FOR UPDATE SKIP LOCKED);
    PERFORM FROM @schema@.listeners WHERE until > clock_timestamp();
    IF NOT FOUND OR pg_notification_queue_usage() > 0.9::float8 THEN
      RETURN;
    END IF;
  END IF;
  PERFORM pg_notify('secretkit_' || encode(store.id, 'hex'),
      substr(encode(sha256(store.id || convert_to(said.org, 'UTF8')), 'hex'), 1, 32) || said.what)
    FROM @schema@.store, (
      SELECT x.org, CASE
          WHEN count(*) > 100 OR bool_or(x.kind = 'keyring') THEN '*'
          ELSE string_agg(CASE x.kind WHEN 'insert' THEN '+' ELSE '~' END || encode(x.id, 'hex'), '')
        END AS what
      FROM (
        SELECT first_kind AS kind, first_id AS id, first_org AS org
        UNION ALL SELECT more.kind, bytes[more.id], more.org
          FROM jsonb_to_recordset(more_changes::jsonb) AS more (kind text, id integer, org text)
      ) AS x
      WHERE x.kind IN ('insert', 'replace', 'reseal', 'replace_revision', 'delete', 'keyring')
      GROUP BY x.org
    ) AS said;
END
@body@;
