-- An event is at another time.
-- expect: verify broken chain
UPDATE events SET at = at + 1 WHERE org = 'acme' AND lane = 0 AND seq = 5;
