CREATE TABLE alerts (
  tenant     text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  alert      jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE CONSTRAINT TRIGGER alerts_audited AFTER INSERT OR UPDATE OR DELETE ON alerts
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('alert', '', 'key');

-- Customers who are beyond the threshold of an alert, in which period: what was told of is told once.
CREATE TABLE alerts_reached (
  tenant       text COLLATE "C" NOT NULL,
  alert        text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  period_start timestamptz NOT NULL,
  -- Null: the usage never starts over.
  period_end   timestamptz,
  told_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant, alert, customer),
  FOREIGN KEY (tenant, alert) REFERENCES alerts (tenant, key) ON DELETE CASCADE
);
CREATE INDEX alerts_reached_by_customer ON alerts_reached (tenant, customer);
