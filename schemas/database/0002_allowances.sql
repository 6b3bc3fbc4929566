-- What one customer has besides its plans: overrides, grants, manual resets, and where their history was folded up.

-- A change ends one row and begins the next: balances of past periods are computed from what was in force then.
CREATE TABLE entitlement_overrides (
  tenant       text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  feature      text COLLATE "C" NOT NULL,
  from_at      timestamptz NOT NULL,
  -- Half-open; null while in force.
  until_at     timestamptz,
  -- The start of the first override in an unbroken row of them.
  began_at     timestamptz NOT NULL,
  "limit"      text,
  limit_type   text NOT NULL,
  reset        text,
  anchor       text,
  rollover     jsonb,
  on_uncertain text,
  value        jsonb,
  PRIMARY KEY (tenant, customer, feature, from_at),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key),
  FOREIGN KEY (tenant, feature) REFERENCES features (tenant, key)
);

-- Rows are appended; only voided_at is ever set later.
CREATE TABLE grants (
  tenant       text COLLATE "C" NOT NULL,
  id           text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  feature      text COLLATE "C" NOT NULL,
  amount       text NOT NULL,
  priority     integer NOT NULL,
  effective_at timestamptz NOT NULL,
  expires_at   timestamptz,
  voided_at    timestamptz,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key),
  FOREIGN KEY (tenant, feature) REFERENCES features (tenant, key)
);
CREATE INDEX grants_by_customer ON grants (tenant, customer, feature, id);

-- The record of a manual reset; the instant also cuts the usage of the feature.
CREATE TABLE balance_resets (
  tenant   text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  feature  text COLLATE "C" NOT NULL,
  reset_at timestamptz NOT NULL,
  -- Id of the API key that asked for it.
  reset_by text NOT NULL,
  reason   text,
  before   jsonb NOT NULL,
  after    jsonb NOT NULL,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key),
  FOREIGN KEY (tenant, feature) REFERENCES features (tenant, key)
);
CREATE INDEX balance_resets_by_customer ON balance_resets (tenant, customer, feature, id);

-- Segments before at are folded into ledger. Valid only while usage is counted and cut as basis says.
CREATE TABLE allowance_openings (
  tenant   text COLLATE "C" NOT NULL,
  customer text COLLATE "C" NOT NULL,
  feature  text COLLATE "C" NOT NULL,
  basis    text NOT NULL,
  at       timestamptz NOT NULL,
  ledger   jsonb NOT NULL,
  PRIMARY KEY (tenant, customer, feature)
);
