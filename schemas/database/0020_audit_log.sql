-- Every change that somebody made: who, by which route, which object, before and after. Rows are chained by hash in the order of
-- their transactions, so that a row that is changed or taken out by hand shows.
CREATE TABLE audit_log (
  tenant        text COLLATE "C" NOT NULL,
  sequence      bigint NOT NULL,
  at            timestamptz NOT NULL,
  actor         text COLLATE "C" NOT NULL,
  acting        jsonb NOT NULL,
  object_type   text COLLATE "C" NOT NULL,
  object        text COLLATE "C" NOT NULL,
  change        text NOT NULL,
  before        jsonb,
  after         jsonb,
  previous_hash text NOT NULL,
  hash          text NOT NULL,
  PRIMARY KEY (tenant, sequence)
);
CREATE INDEX audit_log_by_object ON audit_log (tenant, object_type, object, sequence);
CREATE INDEX audit_log_by_actor ON audit_log (tenant, actor, sequence);
CREATE INDEX audit_log_by_time ON audit_log USING brin (at);

-- The end of each chain: without it rows could be taken off the end. It is open while a transaction appends.
CREATE TABLE audit_heads (
  tenant   text COLLATE "C" PRIMARY KEY,
  sequence bigint NOT NULL,
  hash     text NOT NULL,
  is_open  boolean NOT NULL
);

CREATE FUNCTION audit_hash(entry audit_log) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(jsonb_build_array(
    entry.previous_hash, entry.tenant, entry.sequence, extract(epoch FROM entry.at), entry.actor, entry.acting,
    entry.object_type, entry.object, entry.change, entry.before, entry.after)::text, 'UTF8')), 'hex')
$$;

-- Deferred to the commit, so that the lock on the end of the chain is held for a moment only and after all others. The end is read
-- once in a transaction and handed from row to row in a setting: an update of it for every row would leave as many dead rows, which
-- each next one has to pass. The arguments are the type of the object, the columns that are not
-- shown (separated by commas), and up to three that name it.
CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  acting jsonb := nullif(current_setting('tollgate.acting', true), '')::jsonb;
  old_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) - string_to_array(TG_ARGV[1], ',') END;
  new_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) - string_to_array(TG_ARGV[1], ',') END;
  a_row jsonb := coalesce(new_row, old_row);
  ends jsonb := coalesce(nullif(current_setting('tollgate.audit_ends', true), ''), '{}')::jsonb;
  entry audit_log;
BEGIN
  IF acting IS NULL OR old_row IS NOT DISTINCT FROM new_row THEN RETURN NULL; END IF;
  entry.tenant := a_row->>'tenant';
  IF ends ? entry.tenant THEN
    entry.sequence := (ends->entry.tenant->>0)::bigint + 1;
    entry.previous_hash := ends->entry.tenant->>1;
  ELSE
    INSERT INTO audit_heads AS head (tenant, sequence, hash, is_open) VALUES (entry.tenant, 0, '', true)
    ON CONFLICT (tenant) DO UPDATE SET is_open = true
    RETURNING head.sequence + 1, head.hash INTO entry.sequence, entry.previous_hash;
  END IF;
  entry.at := (acting->>'at')::timestamptz;
  entry.actor := acting->>'actor';
  entry.acting := acting - '{at,actor}'::text[];
  entry.object_type := TG_ARGV[0];
  entry.object := coalesce(nullif(concat_ws('/', a_row->>TG_ARGV[2], a_row->>TG_ARGV[3], a_row->>TG_ARGV[4]), ''), TG_ARGV[0]);
  entry.change := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'deleted' ELSE 'changed' END;
  entry.before := old_row - 'tenant'::text;
  entry.after := new_row - 'tenant'::text;
  entry.hash := audit_hash(entry);
  INSERT INTO audit_log SELECT entry.*;
  PERFORM set_config('tollgate.audit_ends', (ends || jsonb_build_object(entry.tenant, jsonb_build_array(entry.sequence, entry.hash)))::text, true);
  RETURN NULL;
END $$;

-- Runs after the last row, as it is put off in the commit itself.
CREATE FUNCTION audit_close() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  chain_end jsonb := current_setting('tollgate.audit_ends')::jsonb->NEW.tenant;
BEGIN
  UPDATE audit_heads SET is_open = false, sequence = (chain_end->>0)::bigint, hash = chain_end->>1 WHERE tenant = NEW.tenant;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_heads_close AFTER INSERT OR UPDATE ON audit_heads
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.is_open) EXECUTE FUNCTION audit_close();

CREATE TRIGGER audit_log_stays BEFORE UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION never_changes();

CREATE CONSTRAINT TRIGGER api_keys_audited AFTER INSERT OR UPDATE OR DELETE ON api_keys
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('key', 'secret_hash,previous_hash', 'id');
CREATE CONSTRAINT TRIGGER meters_audited AFTER INSERT OR UPDATE OR DELETE ON meters
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('meter', '', 'key');
CREATE CONSTRAINT TRIGGER features_audited AFTER INSERT OR UPDATE OR DELETE ON features
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('feature', '', 'key');
CREATE CONSTRAINT TRIGGER products_audited AFTER INSERT OR UPDATE OR DELETE ON products
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('product', '', 'key');
CREATE CONSTRAINT TRIGGER plans_audited AFTER INSERT OR UPDATE OR DELETE ON plans
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('plan', '', 'key');
CREATE CONSTRAINT TRIGGER plan_versions_audited AFTER INSERT OR UPDATE OR DELETE ON plan_versions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('plan_version', '', 'plan', 'version');
CREATE CONSTRAINT TRIGGER customers_audited AFTER INSERT OR UPDATE OR DELETE ON customers
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('customer', '', 'key');
CREATE CONSTRAINT TRIGGER customer_subjects_audited AFTER INSERT OR UPDATE OR DELETE ON customer_subjects
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('customer_subject', '', 'customer', 'subject');
CREATE CONSTRAINT TRIGGER subscriptions_audited AFTER INSERT OR UPDATE OR DELETE ON subscriptions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('subscription', '', 'id');
CREATE CONSTRAINT TRIGGER subscription_phases_audited AFTER INSERT OR UPDATE OR DELETE ON subscription_phases
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('subscription_phase', '', 'subscription', 'position');
CREATE CONSTRAINT TRIGGER entitlement_overrides_audited AFTER INSERT OR UPDATE OR DELETE ON entitlement_overrides
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('entitlement_override', '', 'customer', 'feature');
CREATE CONSTRAINT TRIGGER grants_audited AFTER INSERT OR UPDATE OR DELETE ON grants
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('grant', '', 'id');
CREATE CONSTRAINT TRIGGER balance_resets_audited AFTER INSERT OR UPDATE OR DELETE ON balance_resets
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('balance_reset', '', 'id');
CREATE CONSTRAINT TRIGGER tax_rates_audited AFTER INSERT OR UPDATE OR DELETE ON tax_rates
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('tax_rate', '', 'key');
CREATE CONSTRAINT TRIGGER coupons_audited AFTER INSERT OR UPDATE OR DELETE ON coupons
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('coupon', '', 'key');
CREATE CONSTRAINT TRIGGER billing_settings_audited AFTER INSERT OR UPDATE OR DELETE ON billing_settings
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('billing_settings', '');
CREATE CONSTRAINT TRIGGER credits_audited AFTER INSERT OR UPDATE OR DELETE ON credits
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('credit', '', 'customer', 'id');
CREATE CONSTRAINT TRIGGER payments_audited AFTER INSERT OR UPDATE OR DELETE ON payments
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('payment', '', 'reference');
CREATE CONSTRAINT TRIGGER billing_runs_audited AFTER INSERT ON billing_runs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('billing_run', '', 'id');
CREATE CONSTRAINT TRIGGER invoice_drafts_audited AFTER INSERT OR UPDATE OR DELETE ON invoice_drafts
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('invoice_draft', '', 'id');
CREATE CONSTRAINT TRIGGER subscription_drafts_audited AFTER INSERT OR UPDATE OR DELETE ON subscription_drafts
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('subscription_draft', '', 'subscription', 'closes_at', 'kind');
-- The document itself is in the book, whose own chain proves it.
CREATE CONSTRAINT TRIGGER invoices_audited AFTER INSERT OR UPDATE ON invoices
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('invoice', 'record', 'id');
