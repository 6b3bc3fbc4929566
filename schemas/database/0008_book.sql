-- The book: what was asked of customers. Written by appending; what moves on (cursors, accounts, what a credit has left, what of an
-- invoice is paid) moves in the transaction that appends why.

-- How far a subscription is billed. A run takes those that are due: the cursors are its queue.
CREATE TABLE billing_cursors (
  tenant          text COLLATE "C" NOT NULL,
  subscription    text COLLATE "C" NOT NULL,
  customer        text COLLATE "C" NOT NULL,
  base_billed_to  timestamptz,
  usage_billed_to timestamptz NOT NULL,
  -- Goes up with each decision and each change of the subscription: two are never made from one state.
  version         integer NOT NULL,
  -- When the next document can be final; null while none is to come.
  next_due_at     timestamptz,
  -- Base fees, parts and commitment that later documents count again.
  billed          jsonb NOT NULL,
  PRIMARY KEY (tenant, subscription),
  FOREIGN KEY (tenant, subscription) REFERENCES subscriptions (tenant, id)
);
CREATE INDEX billing_cursors_by_due ON billing_cursors (next_due_at, tenant);
CREATE INDEX billing_cursors_by_customer ON billing_cursors (tenant, customer);
INSERT INTO billing_cursors (tenant, subscription, customer, usage_billed_to, version, next_due_at, billed)
SELECT tenant, id, customer, start_at, 0, start_at, '{"baseFees": [], "parts": [], "committed": null}' FROM subscriptions;

-- A customer's money in one currency: what decides from its credits and balance compares the version first.
CREATE TABLE billing_accounts (
  tenant   text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  currency text NOT NULL,
  -- Minor units owed to the customer; the ledger's account of this name, the other way round.
  balance  numeric(38, 0) NOT NULL,
  version  integer NOT NULL,
  PRIMARY KEY (tenant, customer, currency)
);

CREATE TABLE credits (
  tenant       text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  currency     text NOT NULL,
  amount       numeric(38, 0) NOT NULL,
  paid         numeric(38, 0) NOT NULL,
  priority     integer NOT NULL,
  effective_at timestamptz NOT NULL,
  expires_at   timestamptz,
  created_at   timestamptz NOT NULL,
  applies_to   jsonb NOT NULL,
  burned       numeric(38, 0) NOT NULL,
  expired      numeric(38, 0) NOT NULL,
  voided       numeric(38, 0) NOT NULL,
  PRIMARY KEY (tenant, customer, id),
  CHECK (burned >= 0 AND expired >= 0 AND voided >= 0 AND burned + expired + voided <= amount)
);

CREATE TABLE coupons (
  tenant text COLLATE "C" NOT NULL,
  key    text COLLATE "C" NOT NULL,
  coupon jsonb NOT NULL,
  PRIMARY KEY (tenant, key)
);

-- Documents on which a coupon gave something.
CREATE TABLE coupon_uses (
  tenant       text COLLATE "C" NOT NULL,
  coupon       text COLLATE "C" NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  uses         integer NOT NULL,
  PRIMARY KEY (tenant, coupon, subscription),
  CHECK (uses >= 0)
);
CREATE INDEX coupon_uses_by_subscription ON coupon_uses (tenant, subscription);

CREATE TABLE billing_settings (
  tenant   text COLLATE "C" PRIMARY KEY,
  settings jsonb NOT NULL
);

-- The last number of each series, and the hash of the document that has it.
CREATE TABLE number_series (
  tenant    text COLLATE "C" NOT NULL,
  series    text COLLATE "C" NOT NULL,
  last      integer NOT NULL,
  last_hash text,
  PRIMARY KEY (tenant, series)
);

CREATE TABLE invoices (
  tenant        text COLLATE "C" NOT NULL,
  id            text COLLATE "C" NOT NULL,
  customer      text COLLATE "C" NOT NULL,
  subscription  text COLLATE "C",
  -- The cursor's version that it was decided to: one document for each.
  decision      integer,
  status        text NOT NULL,
  currency      text NOT NULL,
  closes_at     timestamptz NOT NULL,
  due           numeric(38, 0) NOT NULL,
  paid          numeric(38, 0) NOT NULL,
  series        text COLLATE "C",
  sequence      integer,
  content_hash  text,
  previous_hash text,
  -- The document as it was made final: what is hashed, answered and printed.
  record        jsonb NOT NULL,
  -- What taking it back has to give back.
  undo          jsonb NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, subscription, decision),
  UNIQUE (tenant, series, sequence)
);
CREATE INDEX invoices_by_customer ON invoices (tenant, customer, id);

CREATE TABLE payments (
  tenant     text COLLATE "C" NOT NULL,
  reference  text COLLATE "C" NOT NULL,
  invoice    text COLLATE "C" NOT NULL,
  amount     numeric(38, 0) NOT NULL,
  to_balance numeric(38, 0) NOT NULL,
  paid_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant, reference),
  FOREIGN KEY (tenant, invoice) REFERENCES invoices (tenant, id)
);

CREATE TABLE ledger_transactions (
  tenant    text COLLATE "C" NOT NULL,
  source    text COLLATE "C" NOT NULL,
  customer  text COLLATE "C" NOT NULL,
  currency  text NOT NULL,
  posted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, source)
);
CREATE INDEX ledger_transactions_by_customer ON ledger_transactions (tenant, customer, posted_at);

CREATE TABLE ledger_entries (
  tenant   text COLLATE "C" NOT NULL,
  source   text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  account  text NOT NULL,
  -- Minor units, debits above zero.
  amount   numeric(38, 0) NOT NULL,
  credit   text,
  PRIMARY KEY (tenant, source, position),
  FOREIGN KEY (tenant, source) REFERENCES ledger_transactions (tenant, source)
);

CREATE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT sum(amount) FROM ledger_entries WHERE tenant = NEW.tenant AND source = NEW.source) <> 0 THEN
    RAISE EXCEPTION 'the entries of % do not sum to zero', NEW.source;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entries_sum_to_zero AFTER INSERT ON ledger_entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_sums_to_zero();

CREATE FUNCTION never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE OR DELETE ON ledger_transactions FOR EACH ROW EXECUTE FUNCTION never_changes();
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION never_changes();
CREATE TRIGGER invoices_stay BEFORE UPDATE ON invoices FOR EACH ROW
  WHEN ((OLD.record, OLD.series, OLD.sequence, OLD.content_hash, OLD.previous_hash) IS DISTINCT FROM
        (NEW.record, NEW.series, NEW.sequence, NEW.content_hash, NEW.previous_hash))
  EXECUTE FUNCTION never_changes();
CREATE TRIGGER invoices_are_kept BEFORE DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION never_changes();

-- What leaves the process is a row of the transaction that made it true, and is sent afterwards.
CREATE TABLE outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant     text COLLATE "C" NOT NULL,
  type       text NOT NULL,
  object     text COLLATE "C" NOT NULL,
  data       jsonb NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX outbox_by_object ON outbox (tenant, object, id);

-- Meters as they were when a line first counted by them: a line can be counted again when they mean something else.
CREATE TABLE billed_meters (
  tenant   text COLLATE "C" NOT NULL,
  meter    text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  definition jsonb NOT NULL,
  PRIMARY KEY (tenant, meter, revision)
);

CREATE TABLE billing_runs (
  tenant     text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  run        jsonb NOT NULL,
  started_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, id)
);
