-- The store's row names another schema.
-- expect: open corrupt
UPDATE store SET schema = 2;
