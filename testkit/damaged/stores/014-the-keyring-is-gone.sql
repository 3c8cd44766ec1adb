-- The keyring is gone.
-- expect: read corrupt
DELETE FROM keyring WHERE org = 'acme';
