-- An event is gone.
-- expect: verify broken chain
DELETE FROM events WHERE org = 'acme' AND lane = 0 AND seq = 5;
