-- A table is too many.
-- expect: open not_a_store
CREATE TABLE extra (a);
