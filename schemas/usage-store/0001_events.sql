-- Every accepted event, as received. Replays of the log write the same rows again: rows of one log position are one event. Sorted
-- by customer and time for compression and for listing one customer's events; the skip indexes serve look-ups by id (bloom) and
-- scans along the log (minmax).
CREATE TABLE IF NOT EXISTS events (
  tenant LowCardinality(String) COMMENT 'Whose event it is' CODEC(ZSTD(1)),
  customer String COMMENT 'Key of the customer it counts for' CODEC(ZSTD(1)),
  occurred_at DateTime64(3, 'UTC') COMMENT 'Event time: decides window and billing period' CODEC(Delta, ZSTD(1)),
  received_at DateTime64(3, 'UTC') COMMENT 'Time of receipt: decides deduplication and retention' CODEC(Delta, ZSTD(1)),
  type LowCardinality(String) COMMENT 'Event type, which meters select by' CODEC(ZSTD(1)),
  source LowCardinality(String) COMMENT 'Source as sent; with the id it identifies the event of a customer' CODEC(ZSTD(1)),
  id String COMMENT 'Id as sent' CODEC(ZSTD(3)),
  subject Nullable(String) COMMENT 'Subject as sent when it is not the customer key' CODEC(ZSTD(1)),
  data String COMMENT 'JSON text of the data object; read it with JSONExtract functions' CODEC(ZSTD(3)),
  attributes Nullable(String) COMMENT 'JSON text of further CloudEvents attributes' CODEC(ZSTD(1)),
  log_partition UInt32 COMMENT 'Partition of the event log' CODEC(ZSTD(1)),
  log_offset UInt64 COMMENT 'Offset of the log record that holds the event' CODEC(Delta, ZSTD(1)),
  log_index UInt32 COMMENT 'Place of the event in its log record' CODEC(Delta, ZSTD(1)),
  INDEX id_bloom id TYPE bloom_filter(0.025) GRANULARITY 1,
  INDEX log_offset_range log_offset TYPE minmax GRANULARITY 1,
  INDEX received_at_range received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
PRIMARY KEY (tenant, customer, occurred_at)
ORDER BY (tenant, customer, occurred_at, log_partition, log_offset, log_index)
SETTINGS index_granularity = 8192, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Accepted usage events. Read the view usage_events, or FINAL, to see each once.';
