-- A key ends at an instant or by hand. After a rotation the secret before is good until `previous_until`.
ALTER TABLE api_keys ADD COLUMN created_by text COLLATE "C";
ALTER TABLE api_keys ADD COLUMN expires_at timestamptz;
ALTER TABLE api_keys ADD COLUMN ended_at timestamptz;
ALTER TABLE api_keys ADD COLUMN allowed_from jsonb NOT NULL DEFAULT '[]';
ALTER TABLE api_keys ADD COLUMN previous_hash text COLLATE "C";
ALTER TABLE api_keys ADD COLUMN previous_until timestamptz;
-- The secret of the setting, which a changed setting replaces.
ALTER TABLE api_keys ADD COLUMN is_configured boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX api_keys_by_previous_hash ON api_keys (previous_hash) WHERE previous_hash IS NOT NULL;

-- Apart from the keys: it is written again and again, and no change of a key.
CREATE TABLE api_key_uses (
  id           text COLLATE "C" PRIMARY KEY REFERENCES api_keys,
  last_used_at timestamptz NOT NULL
);
