-- The wrapped key is empty.
-- expect: read corrupt
UPDATE keyring SET wrapped_key = x'';
