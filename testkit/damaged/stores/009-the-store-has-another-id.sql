-- The store has another id.
-- expect: read corrupt
UPDATE store SET id = randomblob(16);
