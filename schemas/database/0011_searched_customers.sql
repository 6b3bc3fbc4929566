-- Key, name, e-mail and metadata in one case, for searches; null where there is only the key.
ALTER TABLE customers ADD COLUMN search_text text;
UPDATE customers SET search_text = lower(concat_ws(E'\n', key, name, email, nullif(metadata::text, '{}')))
WHERE name IS NOT NULL OR email IS NOT NULL OR metadata <> '{}';

CREATE INDEX customers_by_creation ON customers (tenant, created_at, key);
CREATE INDEX customers_by_email ON customers (tenant, lower(email)) WHERE email IS NOT NULL;
CREATE INDEX customers_by_name ON customers (tenant, lower(name)) WHERE name IS NOT NULL;
CREATE INDEX customers_by_metadata ON customers USING gin (metadata jsonb_path_ops) WHERE metadata <> '{}';
