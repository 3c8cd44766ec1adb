-- Two superseded values changed places.
-- expect: read corrupt
UPDATE revisions SET record = (SELECT record FROM revisions other WHERE other.secret_id = revisions.secret_id AND other.revision = 8) WHERE secret_id = (SELECT id FROM secrets WHERE key = 'many') AND revision = 7;
