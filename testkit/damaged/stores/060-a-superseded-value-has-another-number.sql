-- A superseded value has another number.
-- expect: read corrupt
UPDATE revisions SET revision = 99 WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many') AND revision = 7;
