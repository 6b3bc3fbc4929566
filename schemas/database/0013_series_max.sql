-- Combinations of dimension values that a meter keeps of one customer and day; null: the default.
ALTER TABLE meters ADD COLUMN series_max integer;
-- Windows from before know no bound, so meters with dimensions count their usage anew.
UPDATE meters SET revision = nextval('meter_revisions') WHERE dimensions <> '{}'::jsonb;
