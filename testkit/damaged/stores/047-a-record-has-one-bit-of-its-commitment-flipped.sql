-- A record has one bit of its commitment flipped.
-- expect: read corrupt
UPDATE secrets SET record = CAST(substr(record, 1, 79) || unhex(printf('%02x', (instr('0123456789abcdef', lower(substr(hex(substr(record, 80, 1)), 1, 1))) - 1) * 16 + ((instr('0123456789abcdef', lower(substr(hex(substr(record, 80, 1)), 2, 1))) - 1) | 1) - ((instr('0123456789abcdef', lower(substr(hex(substr(record, 80, 1)), 2, 1))) - 1) & 1))) || substr(record, 81) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
