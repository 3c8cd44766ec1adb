-- A consumer was seen at another time.
-- expect: read corrupt
UPDATE consumers SET seen_at = seen_at + 1 WHERE secret_id = (SELECT id FROM secrets WHERE key = 'token' AND project = 'etl' AND domain = '') AND name = 'etl.jobs:nightly';
