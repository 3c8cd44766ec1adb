-- The schema is version 0.
-- expect: open not_a_store
PRAGMA user_version = 0;
