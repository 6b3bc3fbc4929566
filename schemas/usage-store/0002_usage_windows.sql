-- One row per meter revision, customer, minute, dimensions, partition and chunk: that chunk's own total for the window. Among
-- rows with equal keys the highest version counts; the usage of a window is the sum over its chunks.
CREATE TABLE IF NOT EXISTS usage_windows (
  tenant LowCardinality(String) COMMENT 'Whose usage it is' CODEC(ZSTD(1)),
  meter LowCardinality(String) COMMENT 'Key of the meter' CODEC(ZSTD(1)),
  revision UInt64 COMMENT 'Revision of the meter definition that counted' CODEC(ZSTD(1)),
  customer String COMMENT 'Key of the customer' CODEC(ZSTD(1)),
  window_start DateTime('UTC') COMMENT 'Start of the minute of event time' CODEC(Delta, ZSTD(1)),
  dimensions Map(LowCardinality(String), String) COMMENT 'Dimension names to values, empty where the event had none' CODEC(ZSTD(1)),
  events UInt64 COMMENT 'Events counted' CODEC(T64, ZSTD(1)),
  value_sum Decimal(38, 9) COMMENT 'Sum of the values' CODEC(ZSTD(1)),
  value_min Nullable(Decimal(38, 9)) COMMENT 'Least value' CODEC(ZSTD(1)),
  value_max Nullable(Decimal(38, 9)) COMMENT 'Greatest value' CODEC(ZSTD(1)),
  value_latest Nullable(Decimal(38, 9)) COMMENT 'Value of the event latest in event time, then in the log' CODEC(ZSTD(1)),
  latest_occurred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Event time of value_latest' CODEC(Delta, ZSTD(1)),
  latest_log_offset UInt64 COMMENT 'Log offset of value_latest' CODEC(Delta, ZSTD(1)),
  latest_log_index UInt32 COMMENT 'Place of value_latest in its log record' CODEC(ZSTD(1)),
  unique_values Array(String) COMMENT 'Distinct values, for meters that count unique ones' CODEC(ZSTD(1)),
  log_partition UInt32 COMMENT 'Partition of the event log' CODEC(ZSTD(1)),
  chunk UInt64 COMMENT 'Chunk of the partition; backfilled rows count from 2^48' CODEC(Delta, ZSTD(1)),
  version UInt64 COMMENT 'Last log offset folded into the row: the highest holds' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (tenant, meter, revision, customer, window_start)
ORDER BY (tenant, meter, revision, customer, window_start, dimensions, log_partition, chunk)
SETTINGS index_granularity = 8192, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Usage per minute as the aggregator writes it. Read the view usage for totals.';

CREATE TABLE IF NOT EXISTS meter_activations (
  tenant String COMMENT 'Whose meter it is',
  meter String COMMENT 'Key of the meter',
  revision UInt64 COMMENT 'Revision of the meter definition',
  log_partition UInt32 COMMENT 'Partition of the event log',
  from_log_offset UInt64 COMMENT 'From here on the revision counts live; what lies below is backfilled',
  backfilled UInt8 COMMENT '1 once everything below from_log_offset is counted'
)
ENGINE = ReplacingMergeTree(backfilled)
ORDER BY (tenant, meter, revision, log_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Since when, in log order, a meter revision counts.';
