-- The book in the order of time: a month's documents and entries are read without walking through all others.
CREATE INDEX invoices_by_closing ON invoices (tenant, closes_at, id);
CREATE INDEX ledger_transactions_by_time ON ledger_transactions (tenant, posted_at, source);
