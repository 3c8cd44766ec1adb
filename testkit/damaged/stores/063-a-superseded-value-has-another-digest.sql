-- A superseded value has another digest.
-- expect: read corrupt
UPDATE revisions SET digest = mac WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many') AND revision = 7;
