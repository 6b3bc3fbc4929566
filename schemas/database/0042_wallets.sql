-- How a customer's credits in one currency behave: at zero, and when they are topped up. A customer without a row has the defaults.
CREATE TABLE wallets (
  tenant   text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text NOT NULL,
  terms    jsonb NOT NULL,
  PRIMARY KEY (tenant, customer, currency),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE CONSTRAINT TRIGGER wallets_audited AFTER INSERT OR UPDATE OR DELETE ON wallets
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('wallet', '', 'customer', 'currency');
