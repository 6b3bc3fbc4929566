-- What the business has set up. Keys are compared byte by byte ("C"), so that pages are in the same order on every server.

CREATE TABLE tenants (
  tenant     text COLLATE "C" PRIMARY KEY,
  created_at timestamptz NOT NULL
);

-- The secret itself is not stored: its holder proves it by its SHA-256.
CREATE TABLE api_keys (
  id          text COLLATE "C" PRIMARY KEY,
  tenant      text COLLATE "C" NOT NULL REFERENCES tenants,
  name        text NOT NULL,
  scopes      jsonb NOT NULL,
  secret_hash text NOT NULL UNIQUE,
  created_at  timestamptz NOT NULL
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

-- One sequence for all meters and all time: a meter that is deleted and created again never meets the windows of the old one.
CREATE SEQUENCE meter_revisions;

CREATE TABLE meters (
  tenant      text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  event_type  text NOT NULL,
  aggregation text NOT NULL,
  value       jsonb NOT NULL,
  dimensions  jsonb NOT NULL,
  revision    integer NOT NULL UNIQUE,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE features (
  tenant text COLLATE "C" NOT NULL,
  key    text COLLATE "C" NOT NULL,
  name   text NOT NULL,
  type   text NOT NULL,
  meter  text COLLATE "C",
  filter jsonb NOT NULL,
  unit   text,
  PRIMARY KEY (tenant, key),
  FOREIGN KEY (tenant, meter) REFERENCES meters (tenant, key)
);
CREATE INDEX features_by_meter ON features (tenant, meter);

CREATE TABLE products (
  tenant      text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  name        text NOT NULL,
  description text,
  PRIMARY KEY (tenant, key)
);

-- The row that changes of a plan queue up on; the plan's content is in its versions.
CREATE TABLE plans (
  tenant         text COLLATE "C" NOT NULL,
  key            text COLLATE "C" NOT NULL,
  latest_version integer NOT NULL,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE plan_versions (
  tenant       text COLLATE "C" NOT NULL,
  plan         text COLLATE "C" NOT NULL,
  version      integer NOT NULL,
  product      text COLLATE "C" NOT NULL,
  name         text NOT NULL,
  currency     text NOT NULL,
  "interval"   text NOT NULL,
  base_fee     text,
  charges      jsonb NOT NULL,
  entitlements jsonb NOT NULL,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant, plan, version),
  FOREIGN KEY (tenant, plan) REFERENCES plans (tenant, key),
  FOREIGN KEY (tenant, product) REFERENCES products (tenant, key)
);

CREATE TABLE customers (
  tenant   text COLLATE "C" NOT NULL,
  key      text COLLATE "C" NOT NULL,
  name     text,
  email    text,
  metadata jsonb NOT NULL,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE customer_subjects (
  tenant   text COLLATE "C" NOT NULL,
  subject  text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  -- Place of the subject in the list that the customer was put with.
  position integer NOT NULL,
  PRIMARY KEY (tenant, subject),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE INDEX customer_subjects_by_customer ON customer_subjects (tenant, customer, position);

CREATE TABLE subscriptions (
  tenant    text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  customer  text COLLATE "C" NOT NULL,
  start_at  timestamptz NOT NULL,
  anchor_at timestamptz NOT NULL,
  end_at    timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE INDEX subscriptions_by_customer ON subscriptions (tenant, customer, id);

CREATE TABLE subscription_phases (
  tenant       text COLLATE "C" NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  position     integer NOT NULL,
  plan         text COLLATE "C" NOT NULL,
  plan_version integer NOT NULL,
  start_at     timestamptz NOT NULL,
  end_at       timestamptz,
  PRIMARY KEY (tenant, subscription, position),
  FOREIGN KEY (tenant, subscription) REFERENCES subscriptions (tenant, id),
  FOREIGN KEY (tenant, plan, plan_version) REFERENCES plan_versions (tenant, plan, version)
);

-- status is null while the first request of the key is under way.
CREATE TABLE idempotency_keys (
  tenant       text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  request_hash text NOT NULL,
  status       integer,
  body         text,
  claimed_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
