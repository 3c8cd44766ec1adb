-- An event tells of something else.
-- expect: verify broken chain
UPDATE events SET body = (SELECT body FROM events WHERE org = 'acme' AND lane = 0 AND seq = 4) WHERE org = 'acme' AND lane = 0 AND seq = 5;
