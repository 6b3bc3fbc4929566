-- Views for analysts: rewrites, chunks and meter revisions are hidden.
CREATE OR REPLACE VIEW usage_events AS
SELECT tenant, customer, occurred_at, received_at, type, source, id, subject, data, attributes
FROM events FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW usage AS
SELECT
  w.tenant AS tenant,
  w.meter AS meter,
  w.customer AS customer,
  w.window_start AS window_start,
  w.dimensions AS dimensions,
  sum(w.events) AS events,
  sum(toDecimal256(w.value_sum, 9)) AS value_sum,
  min(w.value_min) AS value_min,
  max(w.value_max) AS value_max,
  argMaxIf(w.value_latest, (w.latest_occurred_at, w.latest_log_offset, w.latest_log_index), isNotNull(w.latest_occurred_at)) AS value_latest,
  groupUniqArrayArray(w.unique_values) AS unique_values
FROM usage_windows AS w FINAL
WHERE (w.tenant, w.meter, w.revision) IN (
  SELECT tenant, meter, max(revision)
  FROM (
    SELECT tenant, meter, revision, min(backfilled) AS is_complete
    FROM meter_activations FINAL
    GROUP BY tenant, meter, revision
  )
  WHERE is_complete = 1
  GROUP BY tenant, meter
)
GROUP BY w.tenant, w.meter, w.customer, w.window_start, w.dimensions
SETTINGS do_not_merge_across_partitions_select_final = 1;
