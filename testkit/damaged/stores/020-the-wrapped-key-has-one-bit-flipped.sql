-- The wrapped key has one bit flipped.
-- expect: read corrupt
UPDATE keyring SET wrapped_key = CAST(substr(wrapped_key, 1, 109) || unhex(printf('%02x', (instr('0123456789abcdef', lower(substr(hex(substr(wrapped_key, 110, 1)), 1, 1))) - 1) * 16 + ((instr('0123456789abcdef', lower(substr(hex(substr(wrapped_key, 110, 1)), 2, 1))) - 1) | 1) - ((instr('0123456789abcdef', lower(substr(hex(substr(wrapped_key, 110, 1)), 2, 1))) - 1) & 1))) || substr(wrapped_key, 111) AS BLOB);
