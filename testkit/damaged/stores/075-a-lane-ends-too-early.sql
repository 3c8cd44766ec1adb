-- A lane ends too early.
-- expect: verify broken chain
UPDATE lanes SET seq = seq - 1 WHERE org = 'acme' AND lane = 0;
