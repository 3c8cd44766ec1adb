-- A use is by somebody else.
-- expect: verify damaged
UPDATE usage SET used_by = 'somebody' WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many');
