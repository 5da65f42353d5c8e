-- Who changed documents when, and what they said at some moments.
-- Contributions and counts have no foreign key: what is written for many documents at once must not fail for one.

CREATE TABLE document_contribution (
    document_id uuid NOT NULL,
    began_at timestamptz NOT NULL,           -- of an interval of five minutes
    user_id uuid NOT NULL,
    changes integer NOT NULL,                -- committed updates
    bytes bigint NOT NULL,                   -- of all of them
    PRIMARY KEY (document_id, began_at, user_id)
);

-- What has happened since the last automatic version; no row: nothing.
CREATE TABLE document_unversioned (
    document_id uuid PRIMARY KEY,
    changes integer NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX document_unversioned_since ON document_unversioned (since);

CREATE TABLE document_version (
    id uuid PRIMARY KEY,
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    name text,                               -- NULL: automatic, and thinned out as it grows old
    created_by uuid,                         -- NULL: automatic
    created_at timestamptz NOT NULL,
    authors uuid[] NOT NULL,                 -- who changed the document since the version before
    state bytea NOT NULL,                    -- Yjs v1 update of the whole document
    CHECK ((name IS NULL) = (created_by IS NULL))
);
CREATE INDEX document_version_order ON document_version (document_id, created_at DESC, id DESC);
