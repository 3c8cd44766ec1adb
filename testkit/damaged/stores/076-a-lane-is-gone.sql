-- A lane is gone.
-- expect: verify broken chain
DELETE FROM lanes WHERE org = 'acme' AND lane = 0;
