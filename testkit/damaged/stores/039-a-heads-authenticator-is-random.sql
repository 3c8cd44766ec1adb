-- A head's authenticator is random.
-- expect: read corrupt
UPDATE secrets SET head_mac = CAST(substr(head_mac, 1, 17) || randomblob(32) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
