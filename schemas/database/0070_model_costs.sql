-- What providers charge for their models. Only appended to: an event carries the name of the revision that priced it.
CREATE TABLE model_costs (
  tenant         text COLLATE "C" NOT NULL,
  provider       text COLLATE "C" NOT NULL,
  model          text COLLATE "C" NOT NULL,
  revision       integer NOT NULL CHECK (revision > 0),
  effective_from timestamptz NOT NULL,
  currency       text NOT NULL,
  reason         text,
  -- Aliases, rates, factors, what is free and what is ignored.
  terms          jsonb NOT NULL,
  is_retired     boolean NOT NULL,
  created_at     timestamptz NOT NULL,
  PRIMARY KEY (tenant, provider, model, revision)
);

CREATE CONSTRAINT TRIGGER model_costs_audited AFTER INSERT OR UPDATE OR DELETE ON model_costs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('model_cost', '', 'provider', 'model', 'revision');

-- Revisions of one tenant are made one after the other, as an alias must be of one model.
CREATE TABLE model_cost_tables (
  tenant   text COLLATE "C" NOT NULL PRIMARY KEY,
  currency text NOT NULL
);
