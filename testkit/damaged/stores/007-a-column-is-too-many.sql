-- A column is too many.
-- expect: open not_a_store
ALTER TABLE secrets ADD COLUMN extra TEXT;
