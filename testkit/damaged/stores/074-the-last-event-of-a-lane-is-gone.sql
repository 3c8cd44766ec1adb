-- The last event of a lane is gone.
-- expect: verify broken chain
DELETE FROM events WHERE org = 'acme' AND lane = 0 AND seq = (SELECT max(seq) FROM events WHERE org = 'acme' AND lane = 0);
