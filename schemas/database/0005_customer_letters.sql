-- Finds customers whose keys differ in case alone.
CREATE INDEX customers_by_letters ON customers (tenant, lower(key));
