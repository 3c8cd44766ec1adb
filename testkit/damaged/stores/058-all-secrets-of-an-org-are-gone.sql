-- All secrets of an org are gone.
-- expect: verify vanished
DELETE FROM secrets WHERE org = 'other';
