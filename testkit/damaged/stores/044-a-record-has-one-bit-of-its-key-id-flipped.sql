-- A record has one bit of its key id flipped.
-- expect: read unknown_key
UPDATE secrets SET record = CAST(substr(record, 1, 9) || unhex(printf('%02x', (instr('0123456789abcdef', lower(substr(hex(substr(record, 10, 1)), 1, 1))) - 1) * 16 + ((instr('0123456789abcdef', lower(substr(hex(substr(record, 10, 1)), 2, 1))) - 1) | 1) - ((instr('0123456789abcdef', lower(substr(hex(substr(record, 10, 1)), 2, 1))) - 1) & 1))) || substr(record, 11) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
