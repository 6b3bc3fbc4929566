-- What the tables of analysts do not show yet. A statement that writes leaves one row for each tenant, whatever it changes, in its own
-- transaction; whoever has copied the objects deletes the row. Rows are not read from behind a position: a transaction that began
-- earlier may become visible later.
CREATE TABLE analyst_changes (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant  text COLLATE "C" NOT NULL,
  kind    text NOT NULL,
  objects text[] NOT NULL
);

CREATE FUNCTION tell_analysts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(
    'INSERT INTO analyst_changes (tenant, kind, objects) SELECT tenant, %L, array_agg(DISTINCT %I) FROM changed GROUP BY tenant',
    TG_ARGV[0], TG_ARGV[1]);
  RETURN NULL;
END $$;

CREATE TRIGGER invoices_told AFTER INSERT ON invoices REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('invoice', 'id');
CREATE TRIGGER invoice_changes_told AFTER UPDATE ON invoices REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('invoice', 'id');
CREATE TRIGGER ledger_told AFTER INSERT ON ledger_transactions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('ledger', 'source');
CREATE TRIGGER customers_told AFTER INSERT ON customers REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('customer', 'key');
CREATE TRIGGER customer_changes_told AFTER UPDATE ON customers REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('customer', 'key');
CREATE TRIGGER plan_versions_told AFTER INSERT ON plan_versions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('plan', 'plan');
-- A change of the phases changes the subscription's row too.
CREATE TRIGGER subscriptions_told AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('subscription', 'id');
CREATE TRIGGER subscription_changes_told AFTER UPDATE ON subscriptions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_analysts('subscription', 'id');
