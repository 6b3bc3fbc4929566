-- Made by the first event with its name, and by nobody since: it may be adopted by the customer that the name belongs to.
ALTER TABLE customers ADD COLUMN has_appeared boolean NOT NULL DEFAULT false;
-- What an adopted customer used counts for its adopter; its key stays taken, as the log keeps its events under it.
ALTER TABLE customers ADD COLUMN adopted_by text COLLATE "C";
CREATE INDEX customers_adopted ON customers (tenant, key) WHERE adopted_by IS NOT NULL;

-- Usage that is being moved to the adopter; a row goes when no event can come under the old key any more.
CREATE TABLE adoptions (
  tenant     text COLLATE "C" NOT NULL,
  customer   text COLLATE "C" NOT NULL,
  adopter    text COLLATE "C" NOT NULL,
  adopted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, customer),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, key),
  FOREIGN KEY (tenant, adopter) REFERENCES customers (tenant, key)
);
