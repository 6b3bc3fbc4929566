-- What a person added to the draft of a subscription: its lines are counted and priced at every read, these are kept.
CREATE TABLE subscription_drafts (
  tenant       text COLLATE "C" NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  -- Which of its documents: what it closes, and of which kind it is.
  closes_at    timestamptz NOT NULL,
  kind         text NOT NULL,
  -- Not made final while it is paused, and none after it.
  paused       boolean NOT NULL,
  -- Lines by hand, as in invoice_drafts.
  lines        jsonb NOT NULL,
  PRIMARY KEY (tenant, subscription, closes_at, kind),
  FOREIGN KEY (tenant, subscription) REFERENCES subscriptions (tenant, id)
);
