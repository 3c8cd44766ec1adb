-- The schema is newer than any.
-- expect: open not_a_store
PRAGMA user_version = 99;
