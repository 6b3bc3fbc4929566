-- Terms of billing besides prices: how a plan's fees are timed and shared, a subscription's terms, a customer's.

-- baseFeeTiming, proration, minimum, thresholdAmount, credits; absent fields have their default.
ALTER TABLE plan_versions ADD COLUMN billing jsonb NOT NULL DEFAULT '{}';

-- currency, taxRates, taxExempt, taxId, address, graceMs, dueDays.
ALTER TABLE customers ADD COLUMN billing jsonb NOT NULL DEFAULT '{}';

-- timezone, commitment, coupons, endInvoiceNow.
ALTER TABLE subscriptions ADD COLUMN billing jsonb NOT NULL DEFAULT '{}';

-- The new anchor of the periods after a change, and whether its fees are billed at once.
ALTER TABLE subscription_phases ADD COLUMN anchor_at timestamptz;
ALTER TABLE subscription_phases ADD COLUMN invoice_now boolean NOT NULL DEFAULT false;
