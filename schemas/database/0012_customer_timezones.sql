-- The customer's zone when the unbroken row of overrides began; null is UTC. It never changes, so that no past period moves.
ALTER TABLE entitlement_overrides ADD COLUMN timezone text;
-- How often an override without a reset of its own refills where no plan says it; null is never. One from before goes on monthly
-- until it is put with other terms.
ALTER TABLE entitlement_overrides ADD COLUMN unplanned_reset text;
UPDATE entitlement_overrides SET unplanned_reset = 'month' WHERE reset IS NULL;
