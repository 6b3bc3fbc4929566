-- A read-only user for one tenant's analysts. Run as an administrator of ClickHouse, once per tenant, with the names filled in:
--   sed 's/ACME/your-tenant/g; s/SECRET/a-password/g' deploy/clickhouse/analyst.sql | clickhouse-client --database tollgate
-- The views (docs/analyst-queries.md) run with the rights of whoever asks, so that the policies of the tables under them hold.
CREATE SETTINGS PROFILE IF NOT EXISTS tollgate_analyst SETTINGS
  readonly = 1,
  max_execution_time = 60,
  max_memory_usage = 4000000000,
  max_result_rows = 1000000;

CREATE ROLE IF NOT EXISTS tollgate_analyst SETTINGS PROFILE tollgate_analyst;

GRANT SELECT ON usage_events TO tollgate_analyst;
GRANT SELECT ON usage TO tollgate_analyst;
GRANT SELECT ON events TO tollgate_analyst;
GRANT SELECT ON usage_windows TO tollgate_analyst;
GRANT SELECT ON meter_activations TO tollgate_analyst;
GRANT SELECT ON invoices TO tollgate_analyst;
GRANT SELECT ON invoice_lines TO tollgate_analyst;
GRANT SELECT ON ledger_entries TO tollgate_analyst;
GRANT SELECT ON customers TO tollgate_analyst;
GRANT SELECT ON plans TO tollgate_analyst;
GRANT SELECT ON subscriptions TO tollgate_analyst;
GRANT SELECT ON book_invoices TO tollgate_analyst;
GRANT SELECT ON book_lines TO tollgate_analyst;
GRANT SELECT ON book_entries TO tollgate_analyst;
GRANT SELECT ON catalog_customers TO tollgate_analyst;
GRANT SELECT ON catalog_plans TO tollgate_analyst;
GRANT SELECT ON catalog_subscriptions TO tollgate_analyst;

CREATE USER IF NOT EXISTS `analyst_ACME` IDENTIFIED WITH sha256_password BY 'SECRET' DEFAULT ROLE NONE;

GRANT tollgate_analyst TO `analyst_ACME`;

ALTER USER `analyst_ACME` DEFAULT ROLE tollgate_analyst;

CREATE ROW POLICY IF NOT EXISTS `tollgate_analyst_ACME` ON events, usage_windows, meter_activations, book_invoices, book_lines, book_entries, catalog_customers, catalog_plans, catalog_subscriptions
  FOR SELECT USING tenant = 'ACME' TO `analyst_ACME`;

-- Without this policy a table with policies would show nothing to all others: everybody but analysts keeps seeing all rows.
CREATE ROW POLICY IF NOT EXISTS tollgate_others ON events, usage_windows, meter_activations, book_invoices, book_lines, book_entries, catalog_customers, catalog_plans, catalog_subscriptions
  FOR SELECT USING 1 TO ALL EXCEPT tollgate_analyst;
