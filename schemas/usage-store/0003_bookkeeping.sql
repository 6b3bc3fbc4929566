-- Written last in every flush, so a position never runs ahead of its rows.
CREATE TABLE IF NOT EXISTS positions (
  log_partition UInt32 COMMENT 'Partition of the event log',
  next_log_offset UInt64 COMMENT 'First offset not yet in this store; the highest holds'
)
ENGINE = ReplacingMergeTree(next_log_offset)
ORDER BY log_partition
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far the event log has been written into this store.';

CREATE TABLE IF NOT EXISTS store_settings (
  name String COMMENT 'Name of the setting',
  value String COMMENT 'Its value; the first one written holds',
  written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was written'
)
ENGINE = MergeTree
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Fixed at the birth of this store.';
