-- A secret is gone.
-- expect: verify vanished
DELETE FROM secrets WHERE key = 'token' AND project = 'etl' AND domain = 'production';
