-- What is kept of documents that are not final. A subscription's draft is a view: only what a person added to it is here.
CREATE TABLE invoice_drafts (
  tenant       text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  currency     text NOT NULL,
  -- Not made final while it is paused.
  paused       boolean NOT NULL,
  -- Lines by hand: description, quantity, unit amount, keys of tax rates.
  lines        jsonb NOT NULL,
  -- The credit that a top-up sells; null on others.
  credit       jsonb,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX invoice_drafts_by_customer ON invoice_drafts (tenant, customer, id);

-- Credit notes of a document: what they took back of each of its lines.
CREATE INDEX invoices_by_credited ON invoices (tenant, (record ->> 'invoice')) WHERE record ->> 'invoice' IS NOT NULL;

-- A credit is taken back by its id alone.
CREATE INDEX credits_by_id ON credits (tenant, id);
