-- Who is signed in to the console. The cookie holds 256 random bits, and only their SHA-256 is here. A session ends with its key.
CREATE TABLE console_sessions (
  id         text COLLATE "C" PRIMARY KEY,
  tenant     text COLLATE "C" NOT NULL REFERENCES tenants,
  key_id     text COLLATE "C" NOT NULL REFERENCES api_keys,
  token_hash text COLLATE "C" NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at   timestamptz,
  address    text NOT NULL,
  browser    text NOT NULL
);
CREATE INDEX console_sessions_by_tenant ON console_sessions (tenant, expires_at);

CREATE CONSTRAINT TRIGGER console_sessions_audited AFTER INSERT OR UPDATE OR DELETE ON console_sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('console_session', 'token_hash', 'id');
