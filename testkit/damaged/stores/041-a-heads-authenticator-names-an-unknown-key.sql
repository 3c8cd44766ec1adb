-- A head's authenticator names an unknown key.
-- expect: read unknown_key
UPDATE secrets SET head_mac = CAST(x'01' || randomblob(16) || substr(head_mac, 18) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
