-- Documents, who may do what with them, and the log of their Yjs updates.

CREATE TABLE documents (
    id uuid PRIMARY KEY,
    title text NOT NULL,
    owner_id uuid NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('private', 'public')),
    version integer NOT NULL DEFAULT 1,      -- +1 at each change of the row or of its members: the ETag
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE INDEX documents_owner ON documents (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE document_members (
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    user_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('editor', 'commenter', 'viewer')),
    added_at timestamptz NOT NULL,
    PRIMARY KEY (document_id, user_id)
);
CREATE INDEX document_members_user ON document_members (user_id);

-- A stream is one writer connection of one node: it takes its number when it opens, and the number is never used again.
CREATE SEQUENCE collab_stream;

CREATE TABLE collab_snapshot (
    document_id uuid PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 1,    -- +1 at each compaction
    state bytea NOT NULL,                    -- Yjs v1 update: every row up to the position
    streams bigint[] NOT NULL,               -- the position: stream …
    numbers bigint[] NOT NULL                -- … → the last number of it in state
);

-- No foreign key to documents: each commit would lock the rows of its documents, and a log outlives a deleted document.
CREATE TABLE collab_update (
    document_id uuid NOT NULL,
    stream bigint NOT NULL,
    number bigint NOT NULL,                  -- 1, 2, 3 … without holes in each (document, stream)
    ord bigint GENERATED ALWAYS AS IDENTITY, -- speeds reading: what builds on a row mostly has a higher one
    data bytea NOT NULL,                     -- the updates of one commit: (length uint32 LE, Yjs v1 update)*
    PRIMARY KEY (document_id, stream, number)
);
