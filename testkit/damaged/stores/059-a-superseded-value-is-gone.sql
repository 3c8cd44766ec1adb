-- A superseded value is gone.
-- expect: read corrupt
DELETE FROM revisions WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many') AND revision = 7;
