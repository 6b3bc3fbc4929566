-- The book and the catalog for analysts: copies of what the database has, written behind it and replaced by version. They are rebuilt
-- from nothing with `tollgate bill tables --rebuild`, so nothing else may stand in them.

CREATE TABLE IF NOT EXISTS book_invoices (
  tenant LowCardinality(String) COMMENT 'Whose document it is',
  id String COMMENT 'Id of the document',
  number Nullable(String) COMMENT 'Its number; none when nothing was due',
  document LowCardinality(String) COMMENT 'invoice or creditNote',
  kind LowCardinality(String) COMMENT 'opening, cycle, closing, change, threshold, adjustment, topUp, manual or creditNote',
  status LowCardinality(String) COMMENT 'finalised, paid, nothingDue, uncollectible or void',
  customer String COMMENT 'Key of the customer',
  subscription Nullable(String) COMMENT 'Id of the subscription that it bills',
  currency LowCardinality(String) COMMENT 'ISO 4217',
  closes_at DateTime64(3, 'UTC') COMMENT 'The instant whose period it closes',
  finalised_at DateTime64(3, 'UTC') COMMENT 'When it became final',
  due_at DateTime64(3, 'UTC') COMMENT 'When it is to be paid',
  subtotal Decimal(38, 6) COMMENT 'Sum of the amounts of its lines',
  discount Decimal(38, 6) COMMENT 'What coupons gave',
  credits Decimal(38, 6) COMMENT 'What credits paid, before tax',
  net Decimal(38, 6) COMMENT 'subtotal less discount and credits; below zero where it gives back',
  tax Decimal(38, 6) COMMENT 'Sum of its taxes',
  total Decimal(38, 6) COMMENT 'net and tax; of a credit note above zero',
  balance_applied Decimal(38, 6) COMMENT 'What the balance of account paid',
  due Decimal(38, 6) COMMENT 'What is still due',
  paid Decimal(38, 6) COMMENT 'What payments paid',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Documents that were made final, as they stand now. Read the view invoices.';

CREATE TABLE IF NOT EXISTS book_lines (
  tenant LowCardinality(String) COMMENT 'Whose line it is',
  invoice String COMMENT 'Id of its document',
  line String COMMENT 'Number of the line in it',
  number Nullable(String) COMMENT 'Number of the document',
  document LowCardinality(String) COMMENT 'invoice or creditNote',
  status LowCardinality(String) COMMENT 'Status of the document: lines of a void one count for nothing',
  customer String COMMENT 'Key of the customer',
  subscription Nullable(String) COMMENT 'Id of the subscription',
  currency LowCardinality(String) COMMENT 'ISO 4217',
  closes_at DateTime64(3, 'UTC') COMMENT 'The instant whose period the document closes',
  kind LowCardinality(String) COMMENT 'base, usage, trueUp, unused, adjustment, manual or topUp',
  item Nullable(String) COMMENT 'Key of the charge, minimum, commitment, or a description',
  feature Nullable(String) COMMENT 'Key of the feature',
  plan Nullable(String) COMMENT 'Key of the plan',
  plan_version Nullable(String) COMMENT 'Its version',
  service_from DateTime64(3, 'UTC') COMMENT 'Begin of the service period',
  service_to DateTime64(3, 'UTC') COMMENT 'End of the service period, exclusive',
  quantity Nullable(Decimal(38, 9)) COMMENT 'What was counted; of an adjustment the difference',
  amount Decimal(38, 6) COMMENT 'Before coupons, credits and tax',
  discount Decimal(38, 6) COMMENT 'What coupons gave',
  credits Decimal(38, 6) COMMENT 'What credits paid',
  net Decimal(38, 6) COMMENT 'amount less discount and credits',
  tax Decimal(38, 6) COMMENT 'Tax on it',
  meter Nullable(String) COMMENT 'Key of the meter that counted it',
  log_partition Nullable(UInt32) COMMENT 'Partition of the event log that it counts',
  offset_from Nullable(UInt64) COMMENT 'First offset that it counts',
  offset_to Nullable(UInt64) COMMENT 'First offset that it does not count',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, invoice, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Lines of documents that were made final. Read the view invoice_lines.';

CREATE TABLE IF NOT EXISTS book_entries (
  tenant LowCardinality(String) COMMENT 'Whose ledger it is',
  source String COMMENT 'What was posted',
  position UInt32 COMMENT 'Place of the entry in it',
  posted_at DateTime64(3, 'UTC') COMMENT 'When it was posted',
  customer String COMMENT 'Key of the customer',
  currency LowCardinality(String) COMMENT 'ISO 4217',
  account LowCardinality(String) COMMENT 'receivable, cash, balance, credits, promotion, breakage, revenue, tax or badDebt',
  amount Decimal(38, 6) COMMENT 'Debits above zero',
  credit Nullable(String) COMMENT 'Id of the credit that it is about',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, source, position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Entries of the ledger: those of a source sum to zero. Read the view ledger_entries.';

CREATE TABLE IF NOT EXISTS catalog_customers (
  tenant LowCardinality(String) COMMENT 'Whose customer it is',
  customer String COMMENT 'Key of the customer',
  name Nullable(String) COMMENT 'Its name',
  currency Nullable(String) COMMENT 'Its own currency',
  created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was made',
  archived_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was archived',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, customer)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Customers as they are now. Read the view customers.';

CREATE TABLE IF NOT EXISTS catalog_plans (
  tenant LowCardinality(String) COMMENT 'Whose plan it is',
  plan String COMMENT 'Key of the plan',
  plan_version UInt32 COMMENT '1 for the first',
  product String COMMENT 'Key of the product',
  name String COMMENT 'Its name',
  currency LowCardinality(String) COMMENT 'ISO 4217',
  interval LowCardinality(String) COMMENT 'day, week, month, ... or once',
  base_fee Nullable(Decimal(38, 12)) COMMENT 'The fee of a period',
  created_at DateTime64(3, 'UTC') COMMENT 'When the version was made',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, plan, plan_version)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Every version of every plan. Read the view plans.';

CREATE TABLE IF NOT EXISTS catalog_subscriptions (
  tenant LowCardinality(String) COMMENT 'Whose subscription it is',
  subscription String COMMENT 'Id of the subscription',
  customer String COMMENT 'Key of the customer',
  plan String COMMENT 'Key of the plan that it is on at last',
  plan_version UInt32 COMMENT 'Its version',
  start_at DateTime64(3, 'UTC') COMMENT 'When it starts',
  anchor_at DateTime64(3, 'UTC') COMMENT 'Where its periods count from',
  end_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ends; none while it runs on',
  version UInt64 COMMENT 'Number of the last change that the row shows: the highest holds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, subscription)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Subscriptions as they are now, on the plan of their last phase. Read the view subscriptions.';

CREATE OR REPLACE VIEW invoices AS
SELECT
  tenant, id, number, document, kind, status, customer, subscription, currency, closes_at, finalised_at, due_at,
  subtotal, discount, credits, net, tax, total, balance_applied, due, paid
FROM book_invoices FINAL;

CREATE OR REPLACE VIEW invoice_lines AS
SELECT
  tenant, invoice, line, number, document, status, customer, subscription, currency, closes_at, kind, item, feature,
  plan, plan_version, service_from, service_to, quantity, amount, discount, credits, net, tax, meter, log_partition,
  offset_from, offset_to
FROM book_lines FINAL;

CREATE OR REPLACE VIEW ledger_entries AS
SELECT
  tenant, source, position, posted_at, customer, currency, account, amount, credit
FROM book_entries FINAL;

CREATE OR REPLACE VIEW customers AS
SELECT
  tenant, customer, name, currency, created_at, archived_at
FROM catalog_customers FINAL;

CREATE OR REPLACE VIEW plans AS
SELECT
  tenant, plan, plan_version, product, name, currency, interval, base_fee, created_at
FROM catalog_plans FINAL;

CREATE OR REPLACE VIEW subscriptions AS
SELECT
  tenant, subscription, customer, plan, plan_version, start_at, anchor_at, end_at
FROM catalog_subscriptions FINAL;
