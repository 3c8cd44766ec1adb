-- Who of those who log in sees which orgs.
--
-- The org comes from the login: SESSION_USER is who has proved to the server who they are. SET ROLE does not change it, nor
-- does anything else that a client can set; SET SESSION AUTHORIZATION is a superuser's alone. What counts is which role it
-- is, and not what it is called: who gets the name of a login that was dropped is somebody else. No function of ours that
-- reads or changes what belongs to an org runs with other rights than its caller's, so that none can be talked into more.
--
-- What is here holds for whoever is granted anything on these tables. Their owner is not restricted.

-- The groups on the server that have the rights of each role, by name.
CREATE TABLE @schema@.roles (
  role text COLLATE "C" NOT NULL PRIMARY KEY,
  name name NOT NULL UNIQUE
);

-- A dump has the names of the logins, and a server that is upgraded knows them by their old numbers.
CREATE TABLE @schema@.logins (
  login regrole NOT NULL,
  org text COLLATE "C" NOT NULL,
  PRIMARY KEY (login, org)
);

-- Leases are everybody's, by way of the functions.
ALTER TABLE @schema@.listeners ENABLE ROW LEVEL SECURITY;

-- Everybody sees their own, which the policies below look up with the rights of whoever asks.
ALTER TABLE @schema@.roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.logins ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON @schema@.logins FOR SELECT USING (login = (SELECT to_regrole(quote_ident(SESSION_USER))));

-- Who asks, and the orgs that they see, are looked up once in a statement, however many rows it goes through: that is what the
-- inner SELECTs are for.
ALTER TABLE @schema@.keyring ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.lanes ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.settled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON @schema@.keyring
  USING (org = ANY (ARRAY(
    SELECT l.org FROM @schema@.logins AS l WHERE l.login = (SELECT to_regrole(quote_ident(SESSION_USER))))));
CREATE POLICY own ON @schema@.secrets
  USING (org = ANY (ARRAY(
    SELECT l.org FROM @schema@.logins AS l WHERE l.login = (SELECT to_regrole(quote_ident(SESSION_USER))))));
CREATE POLICY own ON @schema@.lanes
  USING (org = ANY (ARRAY(
    SELECT l.org FROM @schema@.logins AS l WHERE l.login = (SELECT to_regrole(quote_ident(SESSION_USER))))));
CREATE POLICY own ON @schema@.events
  USING (org = ANY (ARRAY(
    SELECT l.org FROM @schema@.logins AS l WHERE l.login = (SELECT to_regrole(quote_ident(SESSION_USER))))));
CREATE POLICY own ON @schema@.settled
  USING (org = ANY (ARRAY(
    SELECT l.org FROM @schema@.logins AS l WHERE l.login = (SELECT to_regrole(quote_ident(SESSION_USER))))));

-- What has no org of its own is seen by whoever sees its secret.
ALTER TABLE @schema@.revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.consumers ENABLE ROW LEVEL SECURITY;
ALTER TABLE @schema@.usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON @schema@.revisions USING (EXISTS (SELECT FROM @schema@.secrets AS s WHERE s.id = secret_id));
CREATE POLICY own ON @schema@.consumers USING (EXISTS (SELECT FROM @schema@.secrets AS s WHERE s.id = secret_id));
CREATE POLICY own ON @schema@.usage USING (EXISTS (SELECT FROM @schema@.secrets AS s WHERE s.id = secret_id));

-- By default everybody could call a function.
REVOKE ALL ON FUNCTION @schema@.lock_key, @schema@.apply, @schema@.key_uses, @schema@.touch, @schema@.outcome,
  @schema@.settle, @schema@.listen, @schema@.unlisten, @schema@.writing, @schema@.tell FROM PUBLIC;
