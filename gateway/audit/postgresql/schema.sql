-- The log in PostgreSQL, in a database of its own: all that is there, and who may do what with it.
--
-- One file, run whole in one transaction by `portcullis audit prepare`, as often as anybody likes:
-- what is there stays, rights and rules are set anew. {replica} and {sequencer} stand for the two
-- roles of the gateways; whoever runs this owns the tables and is neither.
--
--   audit_log         the log's name and keys' fingerprints; one row, written once
--   audit_pending     records that last and have no number yet
--   audit_entry       the records: number, leaf and its hash (RFC 6962); level 0 of the tiles
--   audit_node        roots of full tiles: the hashes of the tiles of level 1 and above
--   audit_body        what lies sealed for a record; may be erased
--   audit_head        size and root of the log and who may move it; one row
--   audit_checkpoint  every checkpoint that was signed, the newest last
--   audit_reconciled  up to which record all intents have ended; one row
--   audit_witnessed   the last checkpoint that enough witnesses signed; one row, size -1 before any
--
-- A tile, of whatever width, is hashes of neighbouring rows, so none is ever written twice.

CREATE TABLE IF NOT EXISTS audit_log (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    verifier    text NOT NULL,   -- origin and public key of the log
    guard       bytea NOT NULL   -- a digest under the key that guards pending records
);

CREATE TABLE IF NOT EXISTS audit_pending (
    arrived     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- keeps causes before effects
    hash        bytea NOT NULL UNIQUE,
    leaf        bytea NOT NULL CHECK (octet_length(leaf) BETWEEN 1 AND 60000),
    body        bytea,
    mac         bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_entry (
    index       bigint PRIMARY KEY CHECK (index >= 0),
    hash        bytea NOT NULL UNIQUE CHECK (hash = sha256('\x00'::bytea || leaf)),
    leaf        bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_node (
    level       smallint NOT NULL CHECK (level BETWEEN 1 AND 7),
    number      bigint NOT NULL CHECK (number >= 0),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, number)
);

CREATE TABLE IF NOT EXISTS audit_body (
    index       bigint PRIMARY KEY,
    body        bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_head (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size        bigint NOT NULL,
    root        bytea NOT NULL CHECK (octet_length(root) = 32),
    fence       bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_checkpoint (
    serial      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size        bigint NOT NULL,
    root        bytea NOT NULL,
    note        bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_reconciled (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    upto        bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS audit_witnessed (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size        bigint NOT NULL,
    note        bytea NOT NULL
);

COMMENT ON TABLE audit_log IS 'portcullis audit log, layout 2';

-- a leaf beside its hash while it is short; what is encrypted not compressed, which gains nothing
ALTER TABLE audit_entry ALTER COLUMN leaf SET STORAGE MAIN;
ALTER TABLE audit_pending ALTER COLUMN leaf SET STORAGE MAIN;
ALTER TABLE audit_pending ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE audit_body ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE audit_pending SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000
);

-- What never changes: it says so loudly, to its owner too.

CREATE OR REPLACE FUNCTION audit_never() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% on % is not done: the log is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_node
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR TRUNCATE ON audit_pending
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE UPDATE OR TRUNCATE ON audit_body
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE OR REPLACE TRIGGER never BEFORE DELETE OR TRUNCATE ON audit_witnessed
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never();

-- What was witnessed is never taken back.

CREATE OR REPLACE FUNCTION audit_witnessed_grows() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.size < OLD.size THEN
        RAISE EXCEPTION 'what was witnessed is not taken back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER grows BEFORE UPDATE ON audit_witnessed
    FOR EACH ROW EXECUTE FUNCTION audit_witnessed_grows();

-- How the head moves: forwards, by its newest mover, over entries without a gap.

CREATE OR REPLACE FUNCTION audit_head_moves() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.fence < OLD.fence OR NEW.size < OLD.size
        OR (NEW.size = OLD.size AND NEW.root <> OLD.root) THEN
        RAISE EXCEPTION 'the head of the log only moves forwards' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER moves BEFORE UPDATE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_head_moves();

CREATE OR REPLACE FUNCTION audit_head_fits() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
DECLARE
    entered bigint;
    last bigint;
BEGIN
    EXECUTE format(
        'SELECT count(*), max(index) FROM %I.audit_entry WHERE index >= $1', TG_TABLE_SCHEMA
    ) INTO entered, last USING OLD.size;
    IF entered <> NEW.size - OLD.size OR last <> NEW.size - 1 THEN
        RAISE EXCEPTION 'the head of the log has another size than its entries'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS fits ON audit_head;
CREATE CONSTRAINT TRIGGER fits AFTER UPDATE ON audit_head DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.size <> NEW.size) EXECUTE FUNCTION audit_head_fits();

CREATE OR REPLACE FUNCTION audit_entry_fits() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
DECLARE
    outside boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT 1 FROM added WHERE index >= (SELECT size FROM %I.audit_head))',
        TG_TABLE_SCHEMA
    ) INTO outside;
    IF outside THEN
        RAISE EXCEPTION 'an entry beyond the head of the log' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER fits AFTER INSERT ON audit_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_fits();

-- Who may do what. Nothing is left of what anybody had before.

REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {replica}, {sequencer};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM PUBLIC, {replica}, {sequencer};
REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;
GRANT USAGE ON SCHEMA {schema} TO {replica}, {sequencer};
GRANT SELECT ON audit_log, audit_pending, audit_entry, audit_node, audit_body, audit_head,
    audit_checkpoint, audit_reconciled, audit_witnessed TO {replica}, {sequencer};
GRANT INSERT (hash, leaf, body, mac) ON audit_pending TO {replica};
GRANT INSERT ON audit_log, audit_entry, audit_node, audit_body TO {sequencer};
GRANT INSERT (size, root, note) ON audit_checkpoint TO {sequencer};
GRANT UPDATE (size, root, fence) ON audit_head TO {sequencer};
GRANT UPDATE (upto) ON audit_reconciled TO {sequencer};
GRANT UPDATE (size, note) ON audit_witnessed TO {sequencer};
GRANT DELETE ON audit_pending, audit_body TO {sequencer};

-- Rules for rows, which bind the owner too: a record stops waiting only when it is in the log.

ALTER TABLE audit_pending ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_pending FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS given ON audit_pending;
CREATE POLICY given ON audit_pending FOR INSERT TO {replica} WITH CHECK (true);
DROP POLICY IF EXISTS seen ON audit_pending;
CREATE POLICY seen ON audit_pending FOR SELECT TO {replica}, {sequencer} USING (true);
DROP POLICY IF EXISTS entered ON audit_pending;
CREATE POLICY entered ON audit_pending FOR DELETE TO {sequencer}
    USING (EXISTS (SELECT 1 FROM audit_entry e WHERE e.hash = audit_pending.hash));

INSERT INTO audit_head (size, root, fence) VALUES (0, sha256(''::bytea), 0) ON CONFLICT DO NOTHING;
INSERT INTO audit_reconciled (upto) VALUES (0) ON CONFLICT DO NOTHING;
INSERT INTO audit_witnessed (size, note) VALUES (-1, '') ON CONFLICT DO NOTHING;
