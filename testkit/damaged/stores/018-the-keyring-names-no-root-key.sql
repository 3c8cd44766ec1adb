-- The keyring names no root key.
-- expect: read corrupt
UPDATE keyring SET kek_id = '';
