-- A record is one of the same secret's before.
-- expect: read corrupt
UPDATE secrets SET record = (SELECT record FROM revisions WHERE secret_id = id ORDER BY revision DESC LIMIT 1) WHERE key = 'many';
