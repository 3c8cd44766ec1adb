-- An expiry was put off.
-- expect: read corrupt
UPDATE secrets SET expires_at = expires_at + 1 WHERE key = 'empty';
