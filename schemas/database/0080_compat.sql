-- What only another vendor's contract knows of a thing of ours, or of one that we have not: its own ids, metadata, drafts. The thing
-- itself stays in its own table.
CREATE TABLE compat_records (
  tenant     text COLLATE "C" NOT NULL,
  vendor     text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  data       jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, vendor, kind, key)
);
CREATE CONSTRAINT TRIGGER compat_records_audited AFTER INSERT OR UPDATE OR DELETE ON compat_records
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_change('compat_record', '', 'vendor', 'kind', 'key');
