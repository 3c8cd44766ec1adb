-- An event's body is no event.
-- expect: verify broken chain
UPDATE events SET body = x'00' WHERE org = 'acme' AND lane = 0 AND seq = 5;
