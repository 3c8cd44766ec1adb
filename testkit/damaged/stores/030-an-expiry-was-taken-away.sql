-- An expiry was taken away.
-- expect: read corrupt
UPDATE secrets SET expires_at = NULL WHERE key = 'empty';
