-- The store has no id.
-- expect: open corrupt
DELETE FROM store;
