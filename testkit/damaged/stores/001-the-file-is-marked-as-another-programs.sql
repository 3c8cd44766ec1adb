-- The file is marked as another program's.
-- expect: open not_a_store
PRAGMA application_id = 1;
