-- A use belongs to another secret.
-- expect: verify damaged
UPDATE usage SET secret_id = (SELECT id FROM secrets WHERE key = 'few') WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many');
