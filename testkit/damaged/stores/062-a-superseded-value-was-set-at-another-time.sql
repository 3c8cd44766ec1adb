-- A superseded value was set at another time.
-- expect: read corrupt
UPDATE revisions SET value_at = value_at + 1 WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many') AND revision = 7;
