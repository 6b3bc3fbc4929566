-- Selling: what plans hand over, checkouts, the payments that they wait for, orders, and what customers hold by them.

ALTER TABLE plan_versions ADD COLUMN selling jsonb NOT NULL DEFAULT '{}';

CREATE TABLE license_policies (
  tenant     text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  policy     jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE downloads (
  tenant      text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  name        text NOT NULL,
  description text,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);

-- A release is written once; its bytes are in the file store under tenant/id. Withdrawn, it is shown to nobody who has not had it.
CREATE TABLE releases (
  tenant       text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  download     text COLLATE "C" NOT NULL,
  version      text COLLATE "C" NOT NULL,
  filename     text NOT NULL,
  bytes        bigint NOT NULL,
  sha256       text NOT NULL,
  created_at   timestamptz NOT NULL,
  withdrawn_at timestamptz,
  erased_at    timestamptz,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, download, version),
  FOREIGN KEY (tenant, download) REFERENCES downloads (tenant, key)
);

-- The id is 128 random bits: whoever has the address of a checkout may see and pay it.
CREATE TABLE checkouts (
  id           text COLLATE "C" PRIMARY KEY,
  tenant       text COLLATE "C" NOT NULL,
  status       text NOT NULL,
  plan         text COLLATE "C" NOT NULL,
  plan_version integer NOT NULL,
  -- What was asked for and typed; the address alone is a claim, the customer was named by a secret key or has proved who it is.
  asked        jsonb NOT NULL,
  -- The totals that the visitor confirmed; the document to come has these very lines.
  decided      jsonb,
  -- The browser that confirmed, as the hash of its cookie.
  browser      text,
  order_id     text COLLATE "C",
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  completed_at timestamptz
);
CREATE INDEX checkouts_by_expiry ON checkouts (expires_at) WHERE status IN ('open', 'processing');
CREATE INDEX checkouts_by_tenant ON checkouts (tenant, created_at);

-- One try to collect money. It is a row before the provider is called, so that a crash after the call ends in a question.
CREATE TABLE payment_attempts (
  id         text COLLATE "C" PRIMARY KEY,
  tenant     text COLLATE "C" NOT NULL,
  checkout   text COLLATE "C" REFERENCES checkouts,
  number     integer NOT NULL,
  provider   text NOT NULL,
  -- The provider's own name of it.
  reference  text COLLATE "C",
  currency   text NOT NULL,
  amount     numeric(38, 0) NOT NULL,
  state      text NOT NULL,
  -- Running total of what went back, as the provider tells it.
  refunded   numeric(38, 0) NOT NULL DEFAULT 0,
  dispute    text NOT NULL DEFAULT 'none',
  -- This attempt paid the sale; one that succeeds besides is given back.
  is_counted boolean NOT NULL DEFAULT false,
  -- Money that goes back by ourselves: how much, and whether the provider has taken it.
  owed_back  numeric(38, 0) NOT NULL DEFAULT 0,
  given_back numeric(38, 0) NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (checkout, number)
);
CREATE UNIQUE INDEX payment_attempts_counted ON payment_attempts (checkout) WHERE is_counted;
CREATE INDEX payment_attempts_returning ON payment_attempts (updated_at) WHERE owed_back > given_back;

-- A provider tells at least once: each notice is kept once.
CREATE TABLE payment_notices (
  provider  text NOT NULL,
  id        text COLLATE "C" NOT NULL,
  tenant    text COLLATE "C",
  notice    jsonb NOT NULL,
  -- Why a person has to look at it; null for one that was taken.
  set_aside text,
  kept_at   timestamptz NOT NULL,
  PRIMARY KEY (provider, id)
);
CREATE INDEX payment_notices_set_aside ON payment_notices (tenant, kept_at) WHERE set_aside IS NOT NULL;

CREATE TABLE orders (
  tenant       text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  plan         text COLLATE "C" NOT NULL,
  plan_version integer NOT NULL,
  quantity     integer NOT NULL,
  currency     text NOT NULL,
  status       text NOT NULL,
  invoice      text COLLATE "C",
  checkout     text COLLATE "C",
  -- What was paid for it and what went back.
  paid         numeric(38, 0) NOT NULL,
  refunded     numeric(38, 0) NOT NULL,
  is_disputed  boolean NOT NULL DEFAULT false,
  metadata     jsonb NOT NULL,
  created_at   timestamptz NOT NULL,
  paid_at      timestamptz,
  -- Its entitlements hold in between.
  start_at     timestamptz,
  end_at       timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, plan, plan_version) REFERENCES plan_versions (tenant, plan, version),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE UNIQUE INDEX orders_by_checkout ON orders (checkout) WHERE checkout IS NOT NULL;
CREATE INDEX orders_by_customer ON orders (tenant, customer, id);
CREATE INDEX orders_by_invoice ON orders (tenant, invoice);

-- A download or link that a customer has by an order or a subscription (owner).
CREATE TABLE holdings (
  tenant      text COLLATE "C" NOT NULL,
  id          text COLLATE "C" NOT NULL,
  customer    text COLLATE "C" NOT NULL,
  owner       text COLLATE "C" NOT NULL,
  deliverable text COLLATE "C" NOT NULL,
  terms       jsonb NOT NULL,
  granted_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, owner, deliverable)
);
CREATE INDEX holdings_by_customer ON holdings (tenant, customer, id);

CREATE TABLE download_counts (
  tenant     text COLLATE "C" NOT NULL,
  holding    text COLLATE "C" NOT NULL,
  release    text COLLATE "C" NOT NULL,
  counted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, holding, release, counted_at),
  FOREIGN KEY (tenant, holding) REFERENCES holdings (tenant, id)
);

CREATE TABLE licenses (
  tenant         text COLLATE "C" NOT NULL,
  id             text COLLATE "C" NOT NULL,
  customer       text COLLATE "C" NOT NULL,
  policy         text COLLATE "C" NOT NULL,
  product        text COLLATE "C" NOT NULL,
  -- Order or subscription; null for one made by hand.
  owner          text COLLATE "C",
  deliverable    text COLLATE "C",
  unit           integer NOT NULL,
  -- The key is looked up by its HMAC and shown again from its ciphertext; the secret of both is not in the database.
  key_hmac       text COLLATE "C" NOT NULL,
  key_sealed     text NOT NULL,
  last_four      text NOT NULL,
  -- Terms of the policy as of the issue.
  terms          jsonb NOT NULL,
  quantity       integer NOT NULL,
  issued_at      timestamptz NOT NULL,
  expires_at     timestamptz,
  revoked_at     timestamptz,
  suspended_by   jsonb NOT NULL DEFAULT '[]',
  ever_activated boolean NOT NULL DEFAULT false,
  -- Goes up with each activation, so that activations of one license queue on its row.
  version        integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, key_hmac),
  UNIQUE (tenant, owner, deliverable, unit),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE INDEX licenses_by_customer ON licenses (tenant, customer, id);

CREATE TABLE activations (
  tenant      text COLLATE "C" NOT NULL,
  id          text COLLATE "C" NOT NULL,
  license     text COLLATE "C" NOT NULL,
  name        text NOT NULL,
  -- SHA-256 of what the machine calls itself.
  fingerprint text COLLATE "C",
  metadata    jsonb NOT NULL,
  created_at  timestamptz NOT NULL,
  seen_at     timestamptz NOT NULL,
  ended_at    timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, license) REFERENCES licenses (tenant, id)
);
CREATE INDEX activations_by_license ON activations (tenant, license, created_at);

-- Keys that sign license tokens; the private half is sealed under the installation's secret.
CREATE TABLE license_signing_keys (
  kid        text COLLATE "C" PRIMARY KEY,
  public_key text NOT NULL,
  sealed     text NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE CONSTRAINT TRIGGER license_policies_audited AFTER INSERT OR UPDATE OR DELETE ON license_policies
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('license_policy', '', 'key');
CREATE CONSTRAINT TRIGGER downloads_audited AFTER INSERT OR UPDATE OR DELETE ON downloads
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('download', '', 'key');
CREATE CONSTRAINT TRIGGER releases_audited AFTER INSERT OR UPDATE OR DELETE ON releases
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('release', '', 'download', 'version');
CREATE CONSTRAINT TRIGGER orders_audited AFTER INSERT OR UPDATE OR DELETE ON orders
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('order', '', 'id');
-- Activations move the version of a license and are no change of what was sold.
CREATE CONSTRAINT TRIGGER licenses_audited AFTER INSERT OR UPDATE OR DELETE ON licenses
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('license', 'key_hmac,key_sealed,version,ever_activated', 'id');
