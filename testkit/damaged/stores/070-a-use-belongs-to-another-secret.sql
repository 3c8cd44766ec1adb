-- A use belongs to another secret.
-- expect: read corrupt
UPDATE usage SET secret_id = (SELECT id FROM secrets WHERE key = 'few') WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many');
