-- What sums to zero is looked at once for a statement and not once for each of its entries, which took longer than writing them.
-- The entries of a source come in one statement, or in several that each sum to zero. That the transaction is there is looked at
-- in the same step, in place of a foreign key, which asks for every entry by itself.
ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_tenant_source_fkey;
DROP TRIGGER ledger_entries_sum_to_zero ON ledger_entries;
CREATE OR REPLACE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong text;
BEGIN
  SELECT source INTO wrong FROM added GROUP BY tenant, source HAVING sum(amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the entries of % do not sum to zero', wrong;
  END IF;
  SELECT added.source INTO wrong FROM added
  WHERE NOT EXISTS (SELECT 1 FROM ledger_transactions AS posted WHERE posted.tenant = added.tenant AND posted.source = added.source) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the entries of % have no transaction', wrong;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_sum_to_zero AFTER INSERT ON ledger_entries
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_sums_to_zero();
