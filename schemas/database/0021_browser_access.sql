-- A publishable key may stand in a page. A narrowed key is for some customers, event types or features only.
ALTER TABLE api_keys ADD COLUMN kind text NOT NULL DEFAULT 'secret';
ALTER TABLE api_keys ADD COLUMN narrowed_to jsonb;

-- What a tenant sets for itself, among it the sites whose pages may call.
CREATE TABLE tenant_settings (
  tenant   text COLLATE "C" PRIMARY KEY,
  settings jsonb NOT NULL
);
CREATE CONSTRAINT TRIGGER tenant_settings_audited AFTER INSERT OR UPDATE OR DELETE ON tenant_settings
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('settings', '');

-- Customer tokens are signed and stored nowhere. These keys sign them, for all tenants.
CREATE TABLE token_signing_keys (
  id          text COLLATE "C" PRIMARY KEY,
  created_at  timestamptz NOT NULL,
  private_key jsonb NOT NULL
);

-- Tokens of the customer that were made before are refused.
CREATE TABLE customer_tokens_not_before (
  tenant     text COLLATE "C" NOT NULL,
  customer   text COLLATE "C" NOT NULL,
  not_before timestamptz NOT NULL,
  PRIMARY KEY (tenant, customer)
);
CREATE INDEX customer_tokens_not_before_by_time ON customer_tokens_not_before (not_before);
CREATE CONSTRAINT TRIGGER customer_tokens_not_before_audited AFTER INSERT OR UPDATE OR DELETE ON customer_tokens_not_before
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('customer_tokens', '', 'customer');
