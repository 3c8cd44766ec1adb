-- The store has two ids.
-- expect: open corrupt
INSERT INTO store SELECT randomblob(16), schema, created_at FROM store;
