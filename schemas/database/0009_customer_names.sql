-- Whose a name was as a subject, and when: an event belongs to whoever had its name at the time of the event. Never deleted.
CREATE TABLE customer_names (
  tenant   text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  -- The first begins in 1970, before all events; each other one where the one before ended.
  from_at  timestamptz NOT NULL,
  -- Half-open; null while it is.
  until_at timestamptz,
  customer text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, name, from_at),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key)
);
CREATE UNIQUE INDEX customer_names_in_force ON customer_names (tenant, name) WHERE until_at IS NULL;
INSERT INTO customer_names (tenant, name, from_at, customer) SELECT tenant, subject, to_timestamp(0), customer FROM customer_subjects;
