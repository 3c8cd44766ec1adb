-- The store has an id of 15 bytes.
-- expect: open corrupt
UPDATE store SET id = randomblob(15);
