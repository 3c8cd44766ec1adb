-- A use is at another time.
-- expect: verify damaged
UPDATE usage SET used_at = used_at + 1 WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many');
