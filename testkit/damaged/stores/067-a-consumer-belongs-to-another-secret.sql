-- A consumer belongs to another secret.
-- expect: read corrupt
UPDATE consumers SET secret_id = (SELECT id FROM secrets WHERE key = 'many') WHERE secret_id = (SELECT id FROM secrets WHERE key = 'token' AND project = 'etl' AND domain = '') AND name = 'etl.jobs:nightly';
