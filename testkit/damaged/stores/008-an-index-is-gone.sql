-- An index is gone.
-- expect: open not_a_store
DROP INDEX events_by_token;
