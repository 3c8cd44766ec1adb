-- A head's authenticator is of no known algorithm.
-- expect: read corrupt
UPDATE secrets SET head_mac = CAST(x'02' || substr(head_mac, 2) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
