-- What an object was before its change, where that is told; and the place in the feed, which is given once a row is committed: ids
-- are taken before that, so a reader that went by them would miss the rows of a transaction that commits later than its neighbours.
ALTER TABLE outbox ADD COLUMN previous jsonb;
ALTER TABLE outbox ADD COLUMN position bigint;
CREATE SEQUENCE outbox_positions;
CREATE INDEX outbox_unplaced ON outbox (id) WHERE position IS NULL;
CREATE UNIQUE INDEX outbox_by_position ON outbox (tenant, position);
DROP INDEX outbox_by_object;

-- One process at a time places and sends; another takes over when its lease is over.
CREATE TABLE outbox_sender (
  is_only boolean PRIMARY KEY CHECK (is_only),
  holder  text,
  until   timestamptz
);
INSERT INTO outbox_sender (is_only) VALUES (true);

-- Told when their time has come, once.
ALTER TABLE subscriptions ADD COLUMN ended_told boolean NOT NULL DEFAULT false;
UPDATE subscriptions SET ended_told = true WHERE end_at <= now();
CREATE INDEX subscriptions_to_end ON subscriptions (end_at) WHERE end_at IS NOT NULL AND NOT ended_told;
ALTER TABLE invoices ADD COLUMN overdue_told boolean NOT NULL DEFAULT false;
UPDATE invoices SET overdue_told = true WHERE status <> 'finalised' OR record->>'dueAt' <= to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
CREATE INDEX invoices_to_pay ON invoices ((record->>'dueAt') COLLATE "C") WHERE status = 'finalised' AND NOT overdue_told;

CREATE TABLE webhook_endpoints (
  tenant          text COLLATE "C" NOT NULL,
  key             text COLLATE "C" NOT NULL,
  url             text NOT NULL,
  -- Null: every type.
  types           text[],
  secret          text NOT NULL,
  previous_secret text,
  -- Both secrets sign until then.
  previous_until  timestamptz,
  -- Why nothing is sent any more; null while it is on.
  disabled        text,
  disabled_at     timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE CONSTRAINT TRIGGER webhook_endpoints_audited AFTER INSERT OR UPDATE OR DELETE ON webhook_endpoints
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('webhook_endpoint', 'secret,previous_secret', 'key');

CREATE TABLE webhook_deliveries (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant   text COLLATE "C" NOT NULL,
  endpoint text COLLATE "C" NOT NULL,
  event    bigint NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  object   text COLLATE "C" NOT NULL,
  -- pending, delivered, failed
  state    text NOT NULL,
  tries    integer NOT NULL,
  next_at  timestamptz NOT NULL,
  -- Of the last try.
  tried_at timestamptz,
  took_ms  integer,
  status   integer,
  answer   text,
  error    text,
  UNIQUE (tenant, endpoint, event),
  FOREIGN KEY (tenant, endpoint) REFERENCES webhook_endpoints (tenant, key) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant, endpoint, event) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_object ON webhook_deliveries (tenant, endpoint, object, event) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);
