-- A view stands beside the tables.
-- expect: open not_a_store
CREATE VIEW evil AS SELECT * FROM secrets;
