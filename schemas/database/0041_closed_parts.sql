-- Parts of subscriptions whose late window has closed, as they were last counted: they are counted again when a run is asked to, for
-- usage that was let in later than that.
CREATE TABLE closed_parts (
  tenant       text COLLATE "C" NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  start_at     timestamptz NOT NULL,
  end_at       timestamptz NOT NULL,
  -- The cursor's version that it was closed by: a void of that document takes it back.
  decision     integer NOT NULL,
  part         jsonb NOT NULL,
  PRIMARY KEY (tenant, subscription, start_at),
  FOREIGN KEY (tenant, subscription) REFERENCES subscriptions (tenant, id)
);
CREATE INDEX closed_parts_by_end ON closed_parts (tenant, end_at);
