-- The keyring names another root key.
-- expect: read wrong_root_key
UPDATE keyring SET kek_id = '00000000000000000000000000000000';
