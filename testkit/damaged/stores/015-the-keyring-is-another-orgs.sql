-- The keyring is another org's.
-- expect: read corrupt
UPDATE keyring SET (version, wrapped_key, keyset) = (SELECT version, wrapped_key, keyset FROM keyring WHERE org = 'other') WHERE org = 'acme';
