-- A description was changed.
-- expect: read corrupt
UPDATE secrets SET description = 'harmless' WHERE description <> '';
