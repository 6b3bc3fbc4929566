-- One row, the identity of this database: the stores that are used with it carry the same id, so that those of another installation
-- are refused. A database with a key was in use before there were ids; its stores take the id at the next start.

CREATE TABLE installation (
  id     text COLLATE "C" PRIMARY KEY,
  is_new boolean NOT NULL
);
INSERT INTO installation SELECT gen_random_uuid()::text, NOT EXISTS (SELECT FROM api_keys);
