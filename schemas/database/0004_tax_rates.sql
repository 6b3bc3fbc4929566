-- Rates that documents may carry. A document keeps its own copy, so a change here affects nothing that is final.
CREATE TABLE tax_rates (
  tenant       text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  name         text NOT NULL,
  percent      text NOT NULL,
  is_inclusive boolean NOT NULL,
  PRIMARY KEY (tenant, key)
);
