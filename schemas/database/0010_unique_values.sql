-- Unique values of more than 32 bytes are kept as hashes now, so what counts them is counted anew: a value that was kept as a
-- whole would be another one.
UPDATE meters SET revision = nextval('meter_revisions') WHERE aggregation = 'unique';
