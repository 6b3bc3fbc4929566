-- Prices that a subscription has of its own while the phase lasts, by the key of the charge; null: those of the plan.
ALTER TABLE subscription_phases ADD COLUMN price_overrides jsonb;
