-- When a record was made and last changed. One from before these columns has the time of the upgrade, as nothing says more.
ALTER TABLE meters ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE meters ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE features ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE features ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE products ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE products ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE plans ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE plans ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE customers ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE customers ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE coupons ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE coupons ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE tax_rates ADD COLUMN created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
ALTER TABLE tax_rates ADD COLUMN updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now());
UPDATE plans SET created_at = versions.first_at, updated_at = versions.last_at
FROM (SELECT tenant, plan, min(created_at) AS first_at, max(created_at) AS last_at FROM plan_versions GROUP BY tenant, plan) AS versions
WHERE versions.tenant = plans.tenant AND versions.plan = plans.key;

-- Not sold or attached anew since then; null while it is. What exists goes on.
ALTER TABLE features ADD COLUMN archived_at timestamptz;
ALTER TABLE products ADD COLUMN archived_at timestamptz;
ALTER TABLE plans ADD COLUMN archived_at timestamptz;
ALTER TABLE customers ADD COLUMN archived_at timestamptz;
