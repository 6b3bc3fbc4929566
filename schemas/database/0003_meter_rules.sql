-- Which events a meter counts (property to condition; null: all of its type), and how it treats unusual numbers.
ALTER TABLE meters ADD COLUMN selection jsonb;
ALTER TABLE meters ADD COLUMN on_inexact text;
-- An older meter goes on counting values below zero until it is put again: an upgrade takes no usage away.
ALTER TABLE meters ADD COLUMN allow_negative boolean NOT NULL DEFAULT true;
ALTER TABLE meters ALTER COLUMN allow_negative SET DEFAULT false;
-- Numbers that were not counted before count now (exponents, more than nine digits), so all usage is counted anew.
UPDATE meters SET revision = nextval('meter_revisions');
