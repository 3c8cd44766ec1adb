-- A consumer has another name.
-- expect: read corrupt
UPDATE consumers SET name = 'somebody' WHERE secret_id = (SELECT id FROM secrets WHERE key = 'token' AND project = 'etl' AND domain = '') AND name = 'etl.jobs:nightly';
