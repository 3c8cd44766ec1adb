-- The keyset has one bit flipped.
-- expect: read corrupt
UPDATE keyring SET keyset = CAST(substr(keyset, 1, 149) || unhex(printf('%02x', (instr('0123456789abcdef', lower(substr(hex(substr(keyset, 150, 1)), 1, 1))) - 1) * 16 + ((instr('0123456789abcdef', lower(substr(hex(substr(keyset, 150, 1)), 2, 1))) - 1) | 1) - ((instr('0123456789abcdef', lower(substr(hex(substr(keyset, 150, 1)), 2, 1))) - 1) & 1))) || substr(keyset, 151) AS BLOB);
